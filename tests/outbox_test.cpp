// The stream of a worker that dies at any byte: what the pipe carried and what the ring holds make every result once.
#include "left_behind.hpp"
#include "os/child.hpp"
#include "outbox_ends.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

using namespace outbox_ends;

TEST_CASE("results that were composed are taken once, wherever the pipe was cut", "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  for (const std::size_t size : {0u, 1u, 8u, 9u, 300u, 4096u, 0u, 77u}) speaker.say(size);
  speaker.flush();
  for (std::size_t length = 0; length <= speaker.written.size(); ++length)
    REQUIRE(taken_after_death(speaker.remains, speaker.written, length) == speaker.frames);
}

TEST_CASE("a ring is occupied as it comes to be used, and small while little is said", "[outbox]") {
  const NothingLeftBehind check;
  Speaker said_little(ring_bytes_at_birth);
  const std::size_t at_birth = said_little.remains.occupied();
  REQUIRE(at_birth <= (worker_memory_bytes - annex_bytes) / 4);
  said_little.say(100);
  CHECK(said_little.remains.occupied() == at_birth);
  Speaker said_much(ring_bytes_at_birth);
  while (said_much.written.size() < 2 * outbox_ring_bytes) {
    said_much.say(1000);
    said_much.be_acknowledged();
  }
  CHECK(said_much.remains.occupied() == worker_memory_bytes - annex_bytes);
  CHECK(taken_after_death(said_much.remains, said_much.written, said_much.written.size()) == said_much.frames);
}

TEST_CASE("a worker that finds no memory for its results says so and ends", "[outbox]") {
  const NothingLeftBehind check;
  constexpr std::uint64_t record = 64;
  const os::MemoryFile file("test-worker", worker_memory_bytes);
  auto child = os::fork_child();
  if (!child) {
    TaskQueue queue(1, 4096);
    queue.open_lane(0);
    const TaskQueueView view(queue, 0);
    const Mapping memory(file, Access::read_write, 0, file.size());
    constexpr std::size_t there = worker_page_offset + worker_bytes_at_birth;
    ::munmap(memory.data() + there, file.size() - there);
    auto& page = make_worker_page(memory.data());
    page.move_to(record, Phase::running, stream_seed);
    os::Pipe pipe = os::make_pipe(64u << 10);
    Outbox outbox(page, view.lane(), std::move(pipe.write_end), stream_seed);
    const std::vector<std::byte> words(1000);
    for (std::size_t said = 0; said < outbox_ring_bytes; said += words.size())
      outbox.put_copy(FrameKind::value, 0, 1, words);
    os::leave_at_once(0);
  }
  const os::ExitStatus end = child->reap();
  CHECK_FALSE(end.signaled);
  CHECK(end.number == 1);
  const Mapping left(file, Access::read_only, 0, file.size());
  CHECK(worker_page_of(left.data()).was_refused(record, stream_seed));
}

TEST_CASE("results that were never written are taken from the ring, once", "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  for (std::size_t size = 0; size < 40; ++size) speaker.say(size);
  CHECK(taken_after_death(speaker.remains, {}, 0) == 40);
}

TEST_CASE("a ring that was read first makes nothing come twice from the pipe", "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  for (const std::size_t size : {5u, 200u, 16u, 900u}) speaker.say(size);
  speaker.flush();
  const std::span<const std::byte> stream = speaker.written;
  for (std::size_t length = 0; length <= stream.size(); ++length) {
    Listener listener(speaker.remains);
    listener.give(stream.first(length));
    CHECK(listener.take_ring() == (length < stream.size()));
    REQUIRE(listener.taken == speaker.frames);
    listener.give(stream.subspan(length));
    listener.take_ring();
    REQUIRE_FALSE(listener.wrong);
    REQUIRE(listener.taken == speaker.frames);
  }
}

TEST_CASE("a cut where the ring begins a new lap loses and doubles nothing", "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  std::size_t acknowledged = 0;
  while (speaker.written.size() < outbox_ring_bytes - 2000) {
    speaker.say(1000);
    speaker.be_acknowledged();
    acknowledged = speaker.written.size();
  }
  for (int i = 0; i < 6; ++i) speaker.say(700);  // the ring's end comes in between, with its filler
  speaker.flush();
  REQUIRE(speaker.written.size() > outbox_ring_bytes + 1000);
  for (std::size_t length = acknowledged; length <= speaker.written.size(); ++length)
    REQUIRE(taken_after_death(speaker.remains, speaker.written, length) == speaker.frames);
}

TEST_CASE("a result too large for the ring is taken where all of it was written, and only there", "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  speaker.say(10);
  speaker.say(20);
  speaker.flush();
  const auto before = speaker.copy();  // what it leaves if it dies while it writes the large one
  speaker.say(max_ring_payload + 3);
  speaker.hear();
  const std::span<const std::byte> stream = speaker.written;
  for (std::size_t length = 0; length < stream.size(); ++length)
    REQUIRE(taken_after_death(*before, stream, length) == 2);
  CHECK(taken_after_death(*before, stream, stream.size()) == 3);
  CHECK(taken_after_death(speaker.remains, stream, stream.size()) == 3);
}

TEST_CASE("results behind one too large for the ring are taken once, wherever the pipe was cut", "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  speaker.say(10);
  speaker.say(max_ring_payload + 1);
  speaker.hear();
  const std::size_t start = speaker.written.size();  // the worker is past this only when all before is in the pipe
  for (const std::size_t size : {0u, 30u, 500u, 1u}) speaker.say(size);
  speaker.flush();
  for (std::size_t length = start; length <= speaker.written.size(); ++length)
    REQUIRE(taken_after_death(speaker.remains, speaker.written, length) == speaker.frames);
}

TEST_CASE("a frame that goes straight to the pipe may end anywhere in the ring", "[outbox]") {
  const NothingLeftBehind check;
  for (const std::size_t left : {0, 8, 16, 24}) {
    TaskQueue queue(1, 4096);
    queue.open_lane(0);
    const TaskQueueView view(queue, 0);
    const os::MemoryFile file("test-worker", worker_memory_bytes);
    const Mapping memory(file, Access::read_write, 0, file.size());
    os::Pipe pipe = os::make_pipe(64u << 10);
    Inbox inbox(Mapping(file, Access::read_only, 0, file.size()), std::move(pipe.read_end), stream_seed, 1u << 20);
    const std::vector<std::byte> large(outbox_ring_bytes - sizeof(FrameHeader) - left, std::byte{'l'});

    std::thread worker([&] {  // what is large does not fit into the pipe
      auto& page = worker_page_of(memory.data());
      Outbox outbox(page, view.lane(), std::move(pipe.write_end), stream_seed);
      outbox.put_copy(FrameKind::value, 1, 1, large);
      std::ranges::fill(outbox.room(100), std::byte{'s'});
      outbox.put(FrameKind::value, 2, 1, 100);
      outbox.flush();
    });
    std::vector<std::vector<std::byte>> values;
    Scratch scratch;
    bool bad = false;
    while (values.size() < 2 && !bad) {
      if (!inbox.pull_from_pipe(scratch)) std::this_thread::yield();
      for (ParsedFrame frame = inbox.next(); frame.check != FrameCheck::incomplete && !bad; frame = inbox.next()) {
        bad = frame.check == FrameCheck::bad;
        if (frame.header.kind == FrameKind::value) values.emplace_back(frame.payload.begin(), frame.payload.end());
      }
    }
    worker.join();
    CHECK_FALSE(bad);
    REQUIRE(values.size() == 2);
    CHECK(values[0] == large);
    CHECK(values[1] == std::vector<std::byte>(100, std::byte{'s'}));
    CHECK_FALSE(inbox.ring_is_ahead());
  }
}

TEST_CASE("results in the annex are taken like others, by the pipe or from the ring, wherever it was cut", "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  const std::vector<std::size_t> sizes{10, 40u << 10, 100u << 10, 5, 700u << 10, 600u << 10, 9, 2u << 20};
  for (const std::size_t size : sizes) {
    if (size < in_place_payload)
      speaker.say(size);
    else
      speaker.say_large(size);
  }
  speaker.flush();
  for (std::size_t length = 0; length <= speaker.written.size(); length += 8) {
    Listener listener(speaker.remains);
    listener.give(std::span(speaker.written).first(length));
    listener.take_ring();
    REQUIRE_FALSE(listener.wrong);
    REQUIRE(listener.sizes == sizes);
  }
}

TEST_CASE("the annex is used again behind what was acknowledged, and no more of it than a few results need",
          "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  Listener listener(speaker.remains);
  std::size_t heard = 0;
  for (int i = 0; i < 100; ++i) {
    speaker.say_large(300'000 + static_cast<std::size_t>(i));
    speaker.be_acknowledged();
    listener.give(std::span(speaker.written).subspan(heard));
    heard = speaker.written.size();
  }
  CHECK_FALSE(listener.wrong);
  CHECK(listener.taken == 100);
  CHECK(speaker.remains.occupied() < worker_memory_bytes - annex_bytes + (8u << 20));
}

TEST_CASE("what a frame says of the annex is not believed where it does not check out", "[outbox]") {
  const NothingLeftBehind check;
  Speaker speaker;
  speaker.say(3);
  speaker.say_large(50'000);
  speaker.flush();
  speaker.annex()[20'000] ^= std::byte{1};
  Listener listener(speaker.remains);
  listener.give(speaker.written);
  CHECK(listener.wrong);
  CHECK(listener.taken == 1);
  for (const AnnexPayload where :
       {AnnexPayload{annex_bytes, 1, 0}, AnnexPayload{annex_bytes - 8, 9, 0}, AnnexPayload{~std::uint64_t{0}, 2, 0},
        AnnexPayload{0, annex_bytes + 1, 0}, AnnexPayload{0, payload_limit + 1, 0}, AnnexPayload{8, 0, 0}}) {
    Speaker liar;
    liar.lie(where);
    liar.flush();
    Listener careful(liar.remains);
    careful.give(liar.written);
    CHECK(careful.wrong);
    CHECK(careful.taken == 0);
  }
}
