// Bytes that are not to be trusted: decoding stays within them, and within reason.
#include <bulkhead/codec.hpp>

#include "catch.hpp"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

using bulkhead::detail::decode;
using bulkhead::detail::DecodeError;
using bulkhead::detail::encode_into;

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
  auto bytes = encoded(std::string("abc"));
  bytes.push_back(std::byte{0});
  CHECK_THROWS_AS(decode<std::string>(bytes), DecodeError);
  const auto huge = encoded(std::uint64_t{1} << 40);
  CHECK_THROWS_AS(decode<std::vector<int>>(huge), DecodeError);
  CHECK_THROWS_AS(decode<std::string>(huge), DecodeError);
  const std::array two{std::byte{2}};
  CHECK_THROWS_AS(decode<bool>(two), DecodeError);
  CHECK_THROWS_AS(decode<long>(two), DecodeError);
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
