// Values of one size stand in one frame that grows: wherever a worker dies, each that it finished is taken once.
#include "left_behind.hpp"
#include "outbox_ends.hpp"

using namespace outbox_ends;

namespace {

constexpr std::size_t sizes_of_values[] = {0, 1, 8, 13, 600, in_place_payload};

std::size_t frames_in(std::span<const std::byte> stream) {
  std::size_t count = 0;
  for (; !stream.empty(); ++count) {
    const ParsedFrame frame = parse_frame(stream, stream_seed, payload_limit);
    REQUIRE(frame.check == FrameCheck::whole);
    stream = stream.subspan(frame_stride(frame.header.size));
  }
  return count;
}

// The values of tasks 0 to 6: the first alone, the others in a run.
std::vector<std::byte> stream_with_a_run(std::size_t each) {
  Speaker speaker;
  for (int i = 0; i < 7; ++i) speaker.say_value(each);
  speaker.flush();
  REQUIRE(frames_in(speaker.written) == 2);
  return speaker.written;
}

// What a worker would leave that died with this in its ring, and nothing in its pipe.
std::uint64_t taken_from_ring(std::span<const std::byte> stream, bool& wrong) {
  const Remains remains;
  const Mapping memory = remains.map(Access::read_write);
  std::ranges::copy(stream, memory.data() + outbox_ring_offset);
  worker_page_of(memory.data()).commit(stream.size());
  Listener listener(remains);
  listener.take_ring();
  wrong = listener.wrong;
  return listener.taken;
}

}  // namespace

TEST_CASE("values of one size share a frame", "[outbox]") {
  const NothingLeftBehind check;
  for (const std::size_t each : sizes_of_values) {
    Speaker speaker;
    constexpr std::size_t count = 3000;
    for (std::size_t i = 0; i < count; ++i) {
      speaker.say_value(each);
      if (i % 32 == 31) speaker.be_acknowledged();
    }
    speaker.flush();
    if (value_stride(each) * 4 <= max_run_payload) CHECK(frames_in(speaker.written) < count / 2);
    Listener listener(speaker.remains);
    listener.give(speaker.written);
    CHECK_FALSE(listener.wrong);
    CHECK(listener.taken == count);
  }
}

TEST_CASE("a worker that dies behind any value of a run leaves all of them", "[outbox]") {
  const NothingLeftBehind check;
  for (const std::size_t each : sizes_of_values) {
    Speaker speaker;
    for (std::uint64_t count = 1; count < 40; ++count) {
      speaker.say_value(each);
      REQUIRE(taken_after_death(speaker.remains, {}, 0) == count);
    }
  }
}

TEST_CASE("a run is taken once, wherever the pipe was cut", "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  for (const std::size_t size : {8, 8, 8, 8, 8, 5, 8, 0, 0, 0, 300, 300, 8, 8}) speaker.say_value(size);
  speaker.flush();
  for (std::size_t length = 0; length <= speaker.written.size(); ++length)
    REQUIRE(taken_after_death(speaker.remains, speaker.written, length) == speaker.frames);
}

TEST_CASE("a run that is looked at while it grows gives each value once", "[outbox]") {
  const NothingLeftBehind check;
  for (const std::size_t each : sizes_of_values) {
    for (const bool again : {false, true}) {
      Speaker speaker;
      Listener listener(speaker.remains);
      for (int i = 0; i < 4; ++i) speaker.say_value(each);
      CHECK(listener.take_ring());
      REQUIRE(listener.taken == 4);
      CHECK_FALSE(listener.ring_is_ahead());
      speaker.say_value(each);
      CHECK(listener.ring_is_ahead());
      if (again) {  // and once more before it is sent
        listener.take_ring();
        REQUIRE(listener.taken == 5);
        listener.take_ring();  // nothing new
      }
      speaker.say_value(each);
      speaker.say_value(each + (each < in_place_payload ? 1 : 0));
      speaker.flush();
      listener.give(speaker.written);
      REQUIRE(listener.taken == 7);
      speaker.say_value(2);
      listener.take_ring();
      CHECK(listener.taken == 8);
      CHECK_FALSE(listener.wrong);
    }
  }
}

TEST_CASE("a value that does not continue the run behind which it was composed begins another, or is sent by itself",
          "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  for (const std::size_t size : {8, 8, 8}) speaker.say_value(size);
  ++speaker.frames;  // a task of another worker's
  for (const std::size_t size : {8, 8, 4000}) speaker.say_value(size);
  speaker.flush();
  CHECK(frames_in(speaker.written) == 4);
  std::span<const std::byte> rest = std::span(speaker.written).subspan(frame_stride(8));
  for (const std::uint32_t first_task : {1, 4}) {
    const ParsedFrame run = parse_frame(rest, stream_seed, payload_limit);
    CHECK(run.header.kind == FrameKind::values);
    CHECK(run.header.task == first_task);
    CHECK(run.header.size == 16);
    CHECK(run.payload.front() == std::byte(payload_of(first_task, 1)[0]));
    rest = rest.subspan(frame_stride(16));
  }
  const ParsedFrame alone = parse_frame(rest, stream_seed, payload_limit);
  CHECK(alone.header.kind == FrameKind::value);
  CHECK(alone.header.task == 6);
  CHECK(alone.payload.front() == std::byte(payload_of(6, 1)[0]));
  CHECK(alone.payload.back() == std::byte(payload_of(6, 1)[0]));
}

TEST_CASE("a run of which a byte was changed is not believed", "[outbox]") {
  const NothingLeftBehind check;
  for (const std::size_t each : {std::size_t{0}, std::size_t{8}, std::size_t{600}}) {
    const std::vector<std::byte> stream = stream_with_a_run(each);
    bool wrong = false;
    REQUIRE(taken_from_ring(stream, wrong) == 7);
    REQUIRE_FALSE(wrong);
    for (std::size_t at = frame_stride(each); at < stream.size(); at += at < 64 ? 1 : 7) {
      std::vector<std::byte> changed = stream;
      changed[at] ^= std::byte{0x10};
      REQUIRE(taken_from_ring(changed, wrong) == 1);
      REQUIRE(wrong);
    }
  }
}

TEST_CASE(
    "a stray store into the head of a growing run is not believed, and has nothing written that is not the ring's",
    "[outbox]") {
  const NothingLeftBehind check;
  for (const std::uint64_t stray : {~std::uint64_t{0}, std::uint64_t{0}, counted_by(7, 12), counted_by(7, 4096)}) {
    Speaker speaker;
    for (int i = 0; i < 5; ++i) speaker.say_value(8);
    std::memcpy(speaker.ring() + frame_stride(8), &stray, sizeof stray);
    for (int i = 0; i < 5; ++i) speaker.say_value(8);
    speaker.flush();
    CHECK(speaker.written.size() <= frame_stride(8) + frame_stride(max_run_payload) + frame_stride(5 * 8));
    Listener listener(speaker.remains);
    listener.give(speaker.written);
    CHECK(listener.wrong);
    CHECK(listener.taken == 1);
  }
}

TEST_CASE("a stray store into the head of a run near the ring's end has nothing composed behind that", "[outbox]") {
  const NothingLeftBehind check;
  constexpr std::size_t each = 1000, stray_size = max_run_payload - each;
  constexpr std::size_t head_at = outbox_ring_bytes - 8 - stray_size - sizeof(FrameHeader);
  Speaker speaker;
  for (std::size_t left = head_at - frame_stride(each); left != 0;) {
    const std::size_t next = std::min(left, frame_stride(max_ring_payload));
    speaker.say(next - sizeof(FrameHeader));
    speaker.be_acknowledged();
    left -= next;
  }
  for (int i = 0; i < 2; ++i) speaker.say_value(each);
  const ParsedFrame head = parse_frame({speaker.ring() + head_at, frame_stride(each)}, stream_seed, payload_limit);
  REQUIRE(head.check == FrameCheck::whole);
  REQUIRE(head.header.kind == FrameKind::values);
  const std::uint64_t stray = counted_by(7, stray_size);
  std::memcpy(speaker.ring() + head_at, &stray, sizeof stray);
  for (int i = 0; i < 3; ++i) speaker.say_value(each);
  CHECK(
      std::ranges::all_of(std::span(speaker.annex(), in_place_payload), [](std::byte b) { return b == std::byte{0}; }));
}

TEST_CASE("the heads of runs are held against what a run can be", "[frame]") {
  FrameHeader header{0, 24, 0, 8, FrameKind::values, frame_magic};
  CHECK(plausible(header, 8));
  CHECK_FALSE(plausible(header, 7));  // each value is held against the limit, not all of them
  header.size = 20;
  CHECK_FALSE(plausible(header, 8));  // half a value
  header.size = 0;
  CHECK_FALSE(plausible(header, 8));
  header.size = max_run_payload + 8;
  CHECK_FALSE(plausible(header, 8));
}
