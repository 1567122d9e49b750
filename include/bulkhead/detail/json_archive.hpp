// Records as JSON: two cereal archives for what people write, beside those of codec.hpp for what crosses a pipe.
//
// Not cereal's own JSON archives: those cut a number to its type without a word, name no place where they stop, print
// more than a line, and their parser is recursive, so that a record of brackets would be a crash.
#pragma once

#include <bulkhead/codec.hpp>

#include <cereal/archives/json.hpp>  // brings rapidjson, set up as cereal's own archives want it

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bulkhead::detail {

#ifdef CEREAL_RAPIDJSON_NAMESPACE
namespace rapid = CEREAL_RAPIDJSON_NAMESPACE;
#else
namespace rapid = RAPIDJSON_NAMESPACE;  // a cereal that was packaged to use the system's
#endif

template <class T>
concept JsonScalar = std::is_arithmetic_v<T> || std::is_same_v<T, std::string> || std::is_same_v<T, std::nullptr_t>;

// What is no object or array of its own: one value, or a mere word to the archive.
template <class T>
inline constexpr bool has_no_node = JsonScalar<T>;
template <class T>
inline constexpr bool has_no_node<std::optional<T>> = true;
template <class T>
inline constexpr bool has_no_node<cereal::NameValuePair<T>> = true;
template <class T>
inline constexpr bool has_no_node<cereal::SizeTag<T>> = true;
template <class T>
inline constexpr bool has_no_node<cereal::DeferredData<T>> = true;

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

/// Writes one value as JSON in one line.
class JsonWriter : public cereal::OutputArchive<JsonWriter>, public cereal::traits::TextArchive {
 public:
  JsonWriter() : OutputArchive(this), writer_(buffer_) {}

  /// What has been written.
  std::string text() const { return {buffer_.GetString(), buffer_.GetSize()}; }

  template <class T>
  requires std::is_arithmetic_v<T>
  void write(T number) {
    begin();
    if constexpr (std::is_same_v<T, bool>) {
      writer_.Bool(number);
    } else if constexpr (std::is_floating_point_v<T>) {
      if (std::isfinite(number)) return write_digits(number);
      writer_.Double(static_cast<double>(number));  // NaN, Infinity, as cereal's own archives read and write them
    } else if constexpr (std::is_signed_v<T>) {
      writer_.Int64(number);
    } else {
      writer_.Uint64(number);
    }
  }
  void write(std::string_view text) {
    begin();
    write_text(text);
  }
  void write(std::nullptr_t) {
    begin();
    writer_.Null();
  }
  template <class T>
  void write(const std::optional<T>& value) {
    if (value)
      (*this)(*value);
    else
      write(nullptr);
  }
  template <class Map>
  void write_dictionary(const Map& map) {
    for (const auto& [key, value] : map) {
      name_ = key;
      (*this)(value);
    }
  }

  void name_next(const char* name) { name_ = name; }
  void enter() {
    begin();
    levels_.push_back({});
  }
  void leave() {
    open(Form::object);
    if (levels_.back().form == Form::object)
      writer_.EndObject();
    else
      writer_.EndArray();
    levels_.pop_back();
  }
  /// What is being written has so many elements and no names.
  void be_array() { open(Form::array); }

 private:
  enum class Form { undecided, object, array };
  struct Level {
    Form form = Form::undecided;
    std::size_t without_name = 0;
  };
  static constexpr std::size_t deepest = 500;

  void open(Form form) {
    Level& level = levels_.back();
    if (level.form != Form::undecided) return;
    level.form = form;
    if (form == Form::object)
      writer_.StartObject();
    else
      writer_.StartArray();
  }
  void begin() {
    if (levels_.empty()) return;
    if (levels_.size() > deepest) throw std::length_error("the result is nested too deep for JSON");
    open(Form::object);
    Level& level = levels_.back();
    const std::optional<std::string> name = std::exchange(name_, std::nullopt);
    if (level.form == Form::array) return;
    write_text(name ? *name : "value" + std::to_string(level.without_name++));
  }
  void write_text(std::string_view text) {
    if (!writer_.String(text.data(), static_cast<rapid::SizeType>(text.size())))
      throw std::invalid_argument("the result holds text that is not UTF-8, which JSON cannot carry");
  }
  template <class T>
  void write_digits(T number) {
    char digits[64];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
    static_cast<void>(error);  // none needs more than these
    writer_.RawValue(digits, static_cast<std::size_t>(end - digits), rapid::kNumberType);
  }

  rapid::StringBuffer buffer_;
  rapid::Writer<rapid::StringBuffer, rapid::UTF8<>, rapid::UTF8<>, rapid::CrtAllocator,
                rapid::kWriteValidateEncodingFlag | rapid::kWriteNanAndInfFlag>
      writer_;
  std::vector<Level> levels_;
  std::optional<std::string> name_;
};

// What cereal asks of an archive, found by argument-dependent lookup.
template <JsonScalar T>
void CEREAL_LOAD_FUNCTION_NAME(JsonReader& archive, T& value) {
  archive.read(value);
}
template <JsonScalar T>
void CEREAL_SAVE_FUNCTION_NAME(JsonWriter& archive, const T& value) {
  archive.write(value);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(JsonReader& archive, cereal::NameValuePair<T>& pair) {
  archive.name_next(pair.name);
  archive(pair.value);
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(JsonWriter& archive, const cereal::NameValuePair<T>& pair) {
  archive.name_next(pair.name);
  archive(pair.value);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(JsonReader& archive, cereal::SizeTag<T>& tag) {
  tag.size = archive.size();
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(JsonWriter& archive, const cereal::SizeTag<T>&) {
  archive.be_array();
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(JsonReader& archive, std::optional<T>& value) {
  archive.read(value);
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(JsonWriter& archive, const std::optional<T>& value) {
  archive.write(value);
}
// Their size is their type's, so that cereal has no size tag for them; they are arrays all the same.
template <class T, std::size_t N>
void CEREAL_SAVE_FUNCTION_NAME(JsonWriter& archive, const std::array<T, N>& values) {
  archive.be_array();
  for (const T& value : values) archive(value);
}
template <class V, class C, class A>
void CEREAL_LOAD_FUNCTION_NAME(JsonReader& archive, std::map<std::string, V, C, A>& map) {
  archive.read_dictionary(map);
}
template <class V, class C, class A>
void CEREAL_SAVE_FUNCTION_NAME(JsonWriter& archive, const std::map<std::string, V, C, A>& map) {
  archive.write_dictionary(map);
}
template <class V, class H, class E, class A>
void CEREAL_LOAD_FUNCTION_NAME(JsonReader& archive, std::unordered_map<std::string, V, H, E, A>& map) {
  archive.read_dictionary(map);
}
template <class V, class H, class E, class A>
void CEREAL_SAVE_FUNCTION_NAME(JsonWriter& archive, const std::unordered_map<std::string, V, H, E, A>& map) {
  archive.write_dictionary(map);
}

template <class T>
concept JsonReadNode =
    !has_no_node<T> && !cereal::traits::has_minimal_input_serialization<T, JsonReader>::value &&
    !cereal::traits::has_minimal_base_class_serialization<T, cereal::traits::has_minimal_input_serialization,
                                                          JsonReader>::value;
template <class T>
concept JsonWriteNode =
    !has_no_node<T> && !cereal::traits::has_minimal_output_serialization<T, JsonWriter>::value &&
    !cereal::traits::has_minimal_base_class_serialization<T, cereal::traits::has_minimal_output_serialization,
                                                          JsonWriter>::value;

// Called by cereal around every value it descends into.
template <class T>
void prologue(JsonReader& archive, const T&) {
  refuse_pointers<T>();
  if constexpr (JsonReadNode<T>) archive.enter();
}
template <class T>
void epilogue(JsonReader& archive, const T&) {
  if constexpr (JsonReadNode<T>) archive.leave();
}
template <class T>
void prologue(JsonWriter& archive, const T&) {
  refuse_pointers<T>();
  if constexpr (JsonWriteNode<T>) archive.enter();
}
template <class T>
void epilogue(JsonWriter& archive, const T&) {
  if constexpr (JsonWriteNode<T>) archive.leave();
}

/// Throws std::invalid_argument where the text is no JSON, or not that of a T.
template <class T>
T from_json(std::string_view text) {
  static_assert(std::is_default_constructible_v<T>, "what a record is read into is a default-made value first");
  T value{};
  JsonReader reader(text);
  reader(value);
  return value;
}

/// In one line. Throws std::invalid_argument for text that is not UTF-8.
template <class T>
std::string to_json(const T& value) {
  JsonWriter writer;
  writer(value);
  return writer.text();
}

template <class T>
concept FromJson = !is_a_pointer<T> && cereal::traits::is_input_serializable<T, JsonReader>::value;
template <class T>
concept ToJson = !is_a_pointer<T> && cereal::traits::is_output_serializable<T, JsonWriter>::value;

}  // namespace bulkhead::detail

CEREAL_SETUP_ARCHIVE_TRAITS(bulkhead::detail::JsonReader, bulkhead::detail::JsonWriter)
