// Records as JSON: two cereal archives for what people write, beside those of codec.hpp for what crosses a pipe.
//
// Not cereal's own JSON archives: those cut a number to its type without a word, name no place where they stop, print
// more than a line, and their parser is recursive, so that a record of brackets would be a crash.
#pragma once

#include <bulkhead/codec.hpp>
#include <bulkhead/detail/json_reader.hpp>
#include <bulkhead/detail/json_writer.hpp>

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

namespace bulkhead::detail {

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
