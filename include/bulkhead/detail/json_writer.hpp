// A cereal archive that writes JSON in one line.
#pragma once

#include <bulkhead/detail/json_parser.hpp>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bulkhead::detail {

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

}  // namespace bulkhead::detail
