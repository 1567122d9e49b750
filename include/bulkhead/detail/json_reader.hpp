// A cereal archive that reads JSON as people write it.
#pragma once

#include <bulkhead/detail/json_parser.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// Reads one JSON text. Throws std::invalid_argument that says where in the record and what was wanted there.
class JsonReader : public cereal::InputArchive<JsonReader>, public cereal::traits::TextArchive {
 public:
  explicit JsonReader(std::string_view text) : InputArchive(this) {
    constexpr unsigned how = rapid::kParseIterativeFlag | rapid::kParseFullPrecisionFlag |
                             rapid::kParseValidateEncodingFlag | rapid::kParseNanAndInfFlag;
    if (text.find('\0') != text.npos) throw std::invalid_argument("the record is not JSON: it holds a NUL byte");
    document_.Parse<how>(text.data(), text.size());
    if (document_.HasParseError())
      throw std::invalid_argument("the record is not JSON: " + reason() + ", at byte " +
                                  std::to_string(document_.GetErrorOffset() + 1));
  }

  template <class T>
  requires std::is_arithmetic_v<T>
  void read(T& number) {
    const rapid::Value& value = take();
    if constexpr (std::is_same_v<T, bool>) {
      if (!value.IsBool()) fail("true or false is wanted", &value);
      number = value.GetBool();
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!value.IsNumber()) fail("a number is wanted", &value);
      const double wide = value.GetDouble();
      if (std::isfinite(wide) && std::fabs(wide) > static_cast<double>(std::numeric_limits<T>::max()))
        fail("the number is too large for its type", &value);
      number = static_cast<T>(wide);
    } else {
      using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
      if (!value.IsNumber()) fail("a whole number is wanted", &value);
      if (value.IsInt64() && (std::is_signed_v<T> || value.GetInt64() >= 0))
        store(static_cast<Wide>(value.GetInt64()), number, value);
      else if (value.IsUint64() && std::is_unsigned_v<T>)
        store(static_cast<Wide>(value.GetUint64()), number, value);
      else if (value.IsInt64() || value.IsUint64())
        fail("the number does not fit into its type", &value);
      else
        fail("a whole number is wanted", &value);
    }
    done();
  }
  void read(std::string& text) {
    const rapid::Value& value = take();
    if (!value.IsString()) fail("a string is wanted", &value);
    text.assign(value.GetString(), value.GetStringLength());
    done();
  }
  void read(std::nullptr_t&) {
    const rapid::Value& value = take();
    if (!value.IsNull()) fail("null is wanted", &value);
    done();
  }
  template <class T>
  void read(std::optional<T>& value) {
    if (absent()) {
      name_ = nullptr;
      value.reset();
      return;
    }
    const char* const name = name_;
    if (take().IsNull()) {
      done();
      value.reset();
      return;
    }
    if (!levels_.empty() && levels_.back().node->IsArray()) --levels_.back().taken;  // to be taken once more
    name_ = name;
    (*this)(value.emplace());
  }
  /// Maps whose keys are strings are objects; cereal's own archives have them as arrays of keys and values.
  template <class Map>
  void read_dictionary(Map& map) {
    map.clear();
    const rapid::Value& object = *levels_.back().node;
    if (!object.IsObject()) fail_here("an object is wanted", &object);
    for (auto member = object.MemberBegin(); member != object.MemberEnd(); ++member) {
      levels_.back().chosen = member;
      std::string key(member->name.GetString(), member->name.GetStringLength());
      (*this)(map[std::move(key)]);
    }
  }

  void name_next(const char* name) noexcept { name_ = name; }
  void enter() {
    if (levels_.size() >= deepest) fail_here("values are nested too deep");
    const rapid::Value& value = take();
    if (!value.IsObject() && !value.IsArray()) fail("an object or an array is wanted", &value);
    levels_.push_back({.node = &value});
  }
  void leave() {
    const Level& level = levels_.back();
    if (level.node->IsArray() && level.taken < level.node->Size())
      fail_here("the array has " + std::to_string(level.node->Size()) + " elements, and only " +
                std::to_string(level.taken) + " are wanted");
    levels_.pop_back();
    done();
  }
  cereal::size_type size() const {
    const rapid::Value& node = *levels_.back().node;
    if (!node.IsArray()) fail_here("an array is wanted", &node);
    return node.Size();
  }

 private:
  struct Level {
    const rapid::Value* node;                                   // the object or array whose values are being read
    rapid::SizeType taken = 0;                                  // of an array; of an object: values that have no name
    std::optional<rapid::Value::ConstMemberIterator> chosen{};  // the member in hand; of a dictionary it is set before
    std::string missing{};
  };
  static constexpr std::size_t deepest = 500;

  // The value that is to be read now: by its name, or by its place where it has none or stands in an array.
  const rapid::Value& take() {
    const char* const name = std::exchange(name_, nullptr);
    if (levels_.empty()) return document_;
    Level& level = levels_.back();
    if (level.node->IsArray()) {
      if (level.taken < level.node->Size()) return (*level.node)[level.taken++];
      fail_here("the array has only " + std::to_string(level.taken) + " elements, and more are wanted");
    }
    if (level.chosen && !name) return (*level.chosen)->value;
    const std::string key = name ? name : "value" + std::to_string(level.taken++);
    const auto member =
        level.node->FindMember(rapid::Value(rapid::StringRef(key.data(), static_cast<rapid::SizeType>(key.size()))));
    if (member == level.node->MemberEnd()) {
      level.missing = key;
      fail(name ? "it is missing"
                : "it is missing; members that the type gives no names (CEREAL_NVP) are value0, value1, ..., or an "
                  "array",
           nullptr);
    }
    level.chosen = member;
    return member->value;
  }
  void done() noexcept {
    if (!levels_.empty()) levels_.back().chosen.reset();
  }
  bool absent() const {
    if (levels_.empty() || !name_) return false;
    const rapid::Value& node = *levels_.back().node;
    return node.IsObject() ? !node.HasMember(name_) : levels_.back().taken >= node.Size();
  }

  template <class Wide, class T>
  void store(Wide wide, T& number, const rapid::Value& value) const {
    if (wide < static_cast<Wide>(std::numeric_limits<T>::min()) ||
        wide > static_cast<Wide>(std::numeric_limits<T>::max()))
      fail("the number does not fit into its type", &value);
    number = static_cast<T>(wide);
  }

  // "points[3].x": where the value in hand stands.
  std::string path(bool with_last) const {
    std::string text;
    for (const Level& level : levels_) {
      if (&level == &levels_.back() && !with_last) break;
      if (level.node->IsArray())
        text += "[" + std::to_string(level.taken == 0 ? 0 : level.taken - 1) + "]";
      else if (!level.missing.empty())
        text += (text.empty() ? "" : ".") + level.missing;
      else if (level.chosen)
        text += (text.empty() ? "" : ".") + std::string((*level.chosen)->name.GetString());
    }
    constexpr std::size_t longest = 200;
    return text.size() <= longest ? text : "..." + text.substr(text.size() - longest);
  }
  [[noreturn]] void fail(const std::string& words, const rapid::Value* value) const {
    fail_at(path(true), words, value);
  }
  // About the object or array itself whose values are being read.
  [[noreturn]] void fail_here(const std::string& words, const rapid::Value* value = nullptr) const {
    fail_at(path(false), words, value);
  }
  [[noreturn]] static void fail_at(const std::string& place, const std::string& words, const rapid::Value* value) {
    throw std::invalid_argument("the record" + (place.empty() ? "" : " at " + place) + ": " + words +
                                (value ? ", not " + in_words(*value) : ""));
  }
  static std::string in_words(const rapid::Value& value) {
    constexpr std::size_t longest = 40;
    if (value.IsObject()) return "an object";
    if (value.IsArray()) return "an array";
    rapid::StringBuffer buffer;
    rapid::Writer<rapid::StringBuffer> writer(buffer);
    value.Accept(writer);
    std::string text(buffer.GetString(), buffer.GetSize());
    if (text.size() > longest) text = text.substr(0, longest) + "...";
    return text;
  }
  std::string reason() const {
    switch (document_.GetParseError()) {
      case rapid::kParseErrorDocumentEmpty:
        return "it is empty";
      case rapid::kParseErrorDocumentRootNotSingular:
        return "more follows behind the value";
      case rapid::kParseErrorObjectMissName:
        return "a name in quotes is missing";
      case rapid::kParseErrorObjectMissColon:
        return "a colon is missing behind a name";
      case rapid::kParseErrorObjectMissCommaOrCurlyBracket:
        return "a comma or } is missing";
      case rapid::kParseErrorArrayMissCommaOrSquareBracket:
        return "a comma or ] is missing";
      case rapid::kParseErrorStringMissQuotationMark:
        return "a string has no end";
      case rapid::kParseErrorStringInvalidEncoding:
        return "a string is not UTF-8";
      case rapid::kParseErrorNumberTooBig:
        return "a number is too large";
      default:
        return "there is no value";
    }
  }

  rapid::Document document_;
  std::vector<Level> levels_;
  const char* name_ = nullptr;
};

}  // namespace bulkhead::detail
