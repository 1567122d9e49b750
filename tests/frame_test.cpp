// Frames that a broken worker could send: cut at every length, every bit flipped, oversized, another incarnation's.
#include "ipc/frame.hpp"

#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::ipc;

namespace {

std::vector<std::byte> frame_of(FrameKind kind, std::uint32_t task, const std::string& payload, std::uint32_t seed) {
  FrameHeader header{0, static_cast<std::uint32_t>(payload.size()), task, 1, kind, frame_magic};
  const auto bytes = std::as_bytes(std::span(payload));
  header.checksum = frame_checksum(header, seed, bytes);
  std::vector<std::byte> frame(frame_stride(payload.size()));
  std::memcpy(frame.data(), &header, sizeof header);
  std::memcpy(frame.data() + sizeof header, payload.data(), payload.size());
  return frame;
}

constexpr std::uint32_t frame_seed = 0x12345678;
constexpr std::uint64_t frame_limit = 1 << 20;

}  // namespace

TEST_CASE("a whole frame is read as it was written", "[frame]") {
  for (std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{9}, std::size_t{1000}}) {
    const std::string payload(size, 'p');
    const auto bytes = frame_of(FrameKind::value, 77, payload, frame_seed);
    CHECK(bytes.size() % frame_alignment == 0);
    const ParsedFrame frame = parse_frame(bytes, frame_seed, frame_limit);
    REQUIRE(frame.check == FrameCheck::whole);
    CHECK(frame.header.task == 77);
    CHECK(std::string(reinterpret_cast<const char*>(frame.payload.data()), frame.payload.size()) == payload);
  }
}

TEST_CASE("a frame cut at any length is not whole", "[frame]") {
  const auto bytes = frame_of(FrameKind::value, 1, std::string(100, 'x'), frame_seed);
  for (std::size_t length = 0; length < bytes.size(); ++length)
    REQUIRE(parse_frame(std::span(bytes).first(length), frame_seed, frame_limit).check == FrameCheck::incomplete);
}

TEST_CASE("a frame with any bit flipped is never whole", "[frame]") {
  // Of the second, which is long, the quarters are summed apart, and three bytes are left over.
  const std::string payload =
      GENERATE(std::string("forty-two bytes are enough for this test!!"), std::string(1003, 'q'));
  auto bytes = frame_of(FrameKind::value, 9, payload, frame_seed);
  const std::size_t meant = sizeof(FrameHeader) + payload.size();  // what follows is padding, and is never looked at
  for (std::size_t bit = 0; bit < meant * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    REQUIRE(parse_frame(bytes, frame_seed, frame_limit).check != FrameCheck::whole);
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
  CHECK(parse_frame(bytes, frame_seed, frame_limit).check == FrameCheck::whole);
}

TEST_CASE("a frame with the quarters of a long payload exchanged is not whole", "[frame]") {
  constexpr std::size_t quarter = 256;
  std::string payload;
  for (const char letter : {'a', 'b', 'c', 'd'}) payload += std::string(quarter, letter);
  auto bytes = frame_of(FrameKind::value, 9, payload, frame_seed);
  REQUIRE(parse_frame(bytes, frame_seed, frame_limit).check == FrameCheck::whole);
  const auto at = bytes.begin() + sizeof(FrameHeader);
  for (const std::ptrdiff_t other : {1, 2, 3}) {
    std::swap_ranges(at, at + quarter, at + other * static_cast<std::ptrdiff_t>(quarter));
    CHECK(parse_frame(bytes, frame_seed, frame_limit).check == FrameCheck::bad);
    std::swap_ranges(at, at + quarter, at + other * static_cast<std::ptrdiff_t>(quarter));
  }
}

TEST_CASE("an oversized frame is refused before its payload is waited for", "[frame]") {
  FrameHeader header{0, static_cast<std::uint32_t>(frame_limit) + 1, 1, 1, FrameKind::value, frame_magic};
  CHECK(parse_frame(std::as_bytes(std::span(&header, 1)), frame_seed, frame_limit).check == FrameCheck::bad);
}

TEST_CASE("another incarnation's frame does not check out", "[frame]") {
  const auto bytes = frame_of(FrameKind::value, 9, "payload", frame_seed);
  CHECK(parse_frame(bytes, frame_seed + 1, frame_limit).check == FrameCheck::bad);
}

TEST_CASE("a worker reports only endings that are its to report", "[frame]") {
  for (Ending ending : {Ending::exception, Ending::not_serializable, Ending::too_large}) {
    Failure failure;
    failure.ending = ending;
    failure.type = "std::runtime_error";
    failure.what = std::string("with a \0 in it", 14);
    const std::string payload = encode_failure(failure);
    const auto read = decode_failure(std::as_bytes(std::span(payload)));
    REQUIRE(read);
    CHECK(read->ending == ending);
    CHECK(read->type == failure.type);
    CHECK(read->what == failure.what);
  }
  for (Ending ending :
       {Ending::value, Ending::crashed, Ending::timed_out, Ending::abandoned, static_cast<Ending>(99)}) {
    Failure failure;
    failure.ending = ending;
    const std::string payload = encode_failure(failure);
    CHECK_FALSE(decode_failure(std::as_bytes(std::span(payload))));
  }
  CHECK_FALSE(decode_failure({}));
  std::string lying = encode_failure(Failure{});
  lying[0] = static_cast<char>(Ending::exception);
  lying[4] = 100;  // the type would be longer than the payload
  CHECK_FALSE(decode_failure(std::as_bytes(std::span(lying))));
}

TEST_CASE("a long exception text is cut, not refused", "[frame]") {
  Failure failure;
  failure.ending = Ending::exception;
  failure.what.assign(1 << 20, 'w');
  const std::string payload = encode_failure(failure);
  const auto read = decode_failure(std::as_bytes(std::span(payload)));
  REQUIRE(read);
  CHECK(read->what.size() == 64u << 10);
}
