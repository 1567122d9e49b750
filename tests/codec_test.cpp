// Bytes that are not to be trusted: decoding stays within them, and within reason.
#include <bulkhead/codec.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"

#include <cereal/types/memory.hpp>

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

using bulkhead::detail::decode;
using bulkhead::detail::DecodeError;
using bulkhead::detail::Encodable;
using bulkhead::detail::encode_into;
using bulkhead::detail::SpanReader;

namespace {

struct Tree {
  int value = 0;
  std::vector<Tree> branches;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value, branches);
  }
};

template <class T>
std::vector<std::byte> encoded(const T& value) {
  std::vector<std::byte> bytes(encode_into({}, value));
  CHECK(encode_into(bytes, value) == bytes.size());
  return bytes;
}

}  // namespace

TEST_CASE("what cereal carries comes back as it was", "[codec]") {
  using Everything = std::tuple<bool, double, std::string, std::vector<std::string>, std::map<int, std::optional<char>>,
                                std::variant<int, std::string>, std::array<long, 3>, std::vector<bool>>;
  const Everything value{true, 0.1, "text", {"", "a"}, {{1, 'x'}, {2, std::nullopt}}, "word", {1, 2, 3}, {true, false}};
  CHECK(decode<Everything>(encoded(value)) == value);
}

TEST_CASE("every proper prefix of an encoding is refused", "[codec]") {
  const auto bytes = encoded(std::vector<std::string>{"one", "two", "three"});
  for (std::size_t length = 0; length < bytes.size(); ++length)
    REQUIRE_THROWS_AS(decode<std::vector<std::string>>(std::span(bytes).first(length)), DecodeError);
}

TEST_CASE("left-over bytes, wild sizes and odd bools are refused", "[codec]") {
  auto bytes = encoded(std::optional<std::string>("abc"));
  bytes.push_back(std::byte{0});
  CHECK_THROWS_AS(decode<std::optional<std::string>>(bytes), DecodeError);
  const auto huge = encoded(std::uint64_t{1} << 40);
  CHECK_THROWS_AS(decode<std::vector<int>>(huge), DecodeError);
  CHECK_THROWS_AS(decode<std::vector<std::string>>(huge), DecodeError);
  const std::array two{std::byte{2}};
  CHECK_THROWS_AS(decode<bool>(two), DecodeError);
  CHECK_THROWS_AS(decode<long>(two), DecodeError);
}

TEST_CASE("a text travels as its bytes", "[codec]") {
  const std::string text("a\0b", 3);
  CHECK(encoded(text).size() == 3);
  CHECK(decode<std::string>(encoded(text)) == text);
  CHECK(encoded(std::string()).empty());
  CHECK(decode<std::string>({}).empty());
}

namespace {

// As somebody would who has a format of his own.
struct Celsius {
  double degrees = 0;

  std::size_t encode_into(std::span<std::byte> into) const {
    const std::string text = std::to_string(degrees) + "C";
    if (text.size() <= into.size()) std::memcpy(into.data(), text.data(), text.size());
    return text.size();
  }
  static Celsius decode_from(std::span<const std::byte> bytes) {
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!text.ends_with('C')) throw std::invalid_argument("no temperature: " + text);
    return {std::stod(text)};
  }
};

}  // namespace

TEST_CASE("a type that encodes itself is asked, and cereal is not", "[codec]") {
  const auto bytes = encoded(Celsius{21.5});
  CHECK(bytes.back() == std::byte{'C'});
  CHECK(decode<Celsius>(bytes).degrees == 21.5);
  CHECK_THROWS_AS(decode<Celsius>(std::span(bytes).first(2)), std::invalid_argument);
  const auto warmer = [](const Celsius& c) { return Celsius{c.degrees + 1}; };
  const auto results = bulkhead::do_process_work(std::vector<Celsius>{{1}, {2}, {3}}, warmer, {.num_workers = 2});
  REQUIRE(results.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(results[i].value().degrees == static_cast<double>(i + 2));
}

TEST_CASE("nesting is bounded", "[codec]") {
  Tree tree;
  Tree* leaf = &tree;
  for (int i = 0; i < 50; ++i) leaf = &leaf->branches.emplace_back();
  CHECK(decode<Tree>(encoded(tree)).branches.size() == 1);
  // A chain of one-branch trees a hundred thousand deep, which no encoder of ours would make.
  std::vector<std::byte> deep;
  for (int i = 0; i < 100'000; ++i) {
    const auto link = encoded(std::tuple(0, std::uint64_t{1}));
    deep.insert(deep.end(), link.begin(), link.end());
  }
  CHECK_THROWS_AS(decode<Tree>(deep), DecodeError);
}

TEST_CASE("sizes that nest do not claim memory again at every level", "[codec]") {
  // A hundred levels, each of which claims as many branches as there are bytes left.
  std::vector<std::byte> greedy;
  for (std::uint64_t level = 0; level < 100; ++level) {
    const auto link = encoded(std::tuple(0, std::uint64_t{1'000'000} - 12 * level - 12));
    greedy.insert(greedy.end(), link.begin(), link.end());
  }
  greedy.resize(1'000'000);
  CHECK_THROWS_AS(decode<Tree>(greedy), DecodeError);
  SpanReader reader(greedy);
  CHECK_NOTHROW(reader.claim(900'000));
  CHECK_THROWS_AS(reader.claim(900'000), DecodeError);

  // Honest values stay below it, also where elements take no bytes.
  const std::vector<std::vector<std::vector<std::string>>> dense(20, {40, {50, ""}});
  CHECK(decode<std::vector<std::vector<std::vector<std::string>>>>(encoded(dense)) == dense);
  const std::vector<std::monostate> nothing(4000);
  CHECK(decode<std::vector<std::monostate>>(encoded(nothing)).size() == 4000);
}

TEST_CASE("odd bools are refused in arrays that travel as one block", "[codec]") {
  const std::array odd{std::byte{1}, std::byte{0}, std::byte{2}};
  CHECK_THROWS_AS((decode<std::array<bool, 3>>(odd)), DecodeError);
  CHECK_THROWS_AS((decode<std::array<std::array<bool, 3>, 1>>(odd)), DecodeError);
  CHECK(decode<std::array<bool, 2>>(std::span(odd).first(2)) == std::array{true, false});
  CHECK_THROWS_AS((decode<std::array<bool, 4>>(std::span(odd).first(2))), DecodeError);
}

// Also where cereal itself would carry them. That they are refused inside of other values is a test of its own: see
// tests/refused.
static_assert(!Encodable<std::unique_ptr<int>> && !Encodable<std::shared_ptr<int>> && !Encodable<int*>);
static_assert(Encodable<std::optional<int>> && Encodable<std::vector<Tree>>);
