// Arbitrary bytes as each of a set of nested types: they decode, or are refused, within bounds of memory and depth.
#pragma once

#include "fuzz/script.hpp"

#include <bulkhead/codec.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace fuzz {

struct Tree {
  std::int16_t value = 0;
  std::vector<Tree> branches;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value, branches);
  }
};

enum class Colour : std::uint8_t { red, green };

struct Record {
  Colour colour{};
  std::string name;
  std::optional<double> weight;
  std::array<bool, 3> flags{};
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::make_nvp("colour", colour), name, weight, flags);
  }
};

using Types = std::tuple<std::vector<std::vector<std::string>>, std::map<std::string, std::optional<int>>,
                         std::tuple<bool, char, double, std::string>, std::variant<std::monostate, int, std::string>,
                         std::vector<Record>, Tree, std::vector<bool>, std::deque<std::list<std::int64_t>>,
                         std::set<std::pair<int, std::string>>, std::unordered_map<std::uint32_t, std::vector<float>>,
                         std::vector<std::monostate>, std::map<int, Tree>, std::array<std::optional<std::string>, 2>,
                         bool, std::int64_t, std::vector<std::vector<std::vector<std::vector<std::u32string>>>>>;
inline constexpr std::size_t type_count = std::tuple_size_v<Types>;

/// Bytes allocated by this thread so far; set by who can count them.
inline std::size_t (*allocated)() noexcept = []() noexcept -> std::size_t { return 0; };

// What these types' values may cost: so many times the bytes that were sent, and a little for elements without bytes.
inline constexpr std::size_t bytes_per_byte = 200, bytes_for_nothing = 1u << 20;

template <class T>
std::vector<std::byte> encoded(const T& value) {
  std::vector<std::byte> bytes(bulkhead::detail::encode_into({}, value));
  require(bulkhead::detail::encode_into(bytes, value) == bytes.size(), "a value has one size");
  return bytes;
}

// A bool that is neither is undefined behaviour where it is read, not where it was copied to.
inline void use(const Record& record) {
  for (const bool flag : record.flags) require(flag ? flag : !flag, "a bool is true or false");
}
template <class T>
void use(const T&) {}
template <class T>
void use(const std::vector<T>& values) {
  for (const auto& value : values) use(value);
}

template <class T>
void decode_as(std::span<const std::byte> bytes) {
  using bulkhead::detail::decode;
  const std::size_t before = allocated();
  std::optional<T> value;
  try {
    value.emplace(decode<T>(bytes));
  } catch (const bulkhead::detail::DecodeError&) {
  } catch (const cereal::Exception&) {  // a variant's index
  }
  require(allocated() - before <= bytes.size() * bytes_per_byte + bytes_for_nothing, "memory is bounded by the bytes");
  if (!value) return;
  use(*value);
  // Not always the same bytes: a map forgets a key that came twice. What it kept must come back.
  const auto again = encoded(*value);
  require(again.size() <= bytes.size(), "a value encodes no longer than what it was decoded from");
  require(encoded(decode<T>(again)).size() == again.size(), "what was decoded can be encoded and decoded again");
}

inline void read_values(std::span<const std::uint8_t> input) {
  Script script(input);
  const std::size_t type = script.number<std::uint8_t>() % type_count;
  const auto bytes = script.rest();
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    static_cast<void>(((type == I && (decode_as<std::tuple_element_t<I, Types>>(bytes), true)) || ...));
  }
  (std::make_index_sequence<type_count>());
}

}  // namespace fuzz
