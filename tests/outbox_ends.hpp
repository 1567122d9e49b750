// Both ends of a worker's stream without a worker: what it says, what it leaves when it dies, and what is taken of it.
#pragma once

#include "ipc/inbox.hpp"
#include "ipc/outbox.hpp"
#include "ipc/task_queue.hpp"

#include "catch.hpp"
#include "occupied.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace outbox_ends {

using namespace bulkhead;
using namespace bulkhead::ipc;

inline constexpr std::uint32_t stream_seed = 0x2468ace0;
inline constexpr std::uint64_t payload_limit = 4 << 20;

inline std::string payload_of(std::uint64_t task, std::size_t size) {
  return std::string(size, static_cast<char>('a' + task % 26));
}

// A worker's memory, as it was when the worker died.
class Remains {
 public:
  explicit Remains(std::size_t ring = outbox_ring_bytes) : file_("test-worker", worker_memory_bytes) {
    REQUIRE(file_.occupy(worker_page_offset, worker_page_bytes + ring));
  }
  Mapping map(Access access) const { return Mapping(file_, access, 0, worker_memory_bytes); }
  std::size_t occupied() const { return occupied_bytes(file_); }

 private:
  os::MemoryFile file_;
};

// A worker without a process: its outbox, and everything that it has written to its pipe.
class Speaker {
 public:
  explicit Speaker(std::size_t ring = outbox_ring_bytes)
      : remains(ring),
        lane_(queue_.open_lane(0)),
        view_(queue_, 0),
        memory_(remains.map(Access::read_write)),
        page_(make_worker_page(memory_.data())),
        pipe_(os::make_pipe(1 << 20)),
        outbox_(page_, view_.lane(), std::move(pipe_.write_end), stream_seed) {
    os::set_nonblocking(pipe_.read_end);
  }

  void say(std::size_t size) {
    const std::string payload = payload_of(frames, size);
    outbox_.put_copy(FrameKind::value, frames++, 1, std::as_bytes(std::span(payload)));
  }
  // As a task that follows the one before says it: in a run where it can.
  void say_value(std::size_t size) {
    const std::string payload = payload_of(frames, size);
    std::ranges::copy(std::as_bytes(std::span(payload)), outbox_.value_room().begin());
    outbox_.put_value(frames++, 1, size);
  }
  // Through the annex.
  void say_large(std::size_t size) {
    const std::string payload = payload_of(frames, size);
    const std::span<std::byte> room = outbox_.large_room(size);
    REQUIRE(room.size() == size);
    std::ranges::copy(std::as_bytes(std::span(payload)), room.begin());
    outbox_.put_large(frames++, 1, room);
    annexed_ = std::max<std::size_t>(annexed_, static_cast<std::size_t>(room.data() + size - memory_.data()));
  }
  void lie(const AnnexPayload& where) {
    outbox_.put_copy(FrameKind::value_in_annex, 0, 1, std::as_bytes(std::span(&where, 1)));
  }
  std::byte* ring() { return memory_.data() + outbox_ring_offset; }
  std::byte* annex() { return memory_.data(); }
  void flush() {
    outbox_.flush();
    hear();
  }
  // What was flushed may be overwritten.
  void be_acknowledged() {
    flush();
    lane_.acknowledge(written.size());
  }
  void hear() {
    std::vector<std::byte> block(64 << 10);
    for (std::ptrdiff_t n; (n = os::read_some(pipe_.read_end, block)) > 0;)
      written.insert(written.end(), block.begin(), block.begin() + n);
  }
  std::unique_ptr<Remains> copy() const {
    auto copied = std::make_unique<Remains>();
    const Mapping memory = copied->map(Access::read_write);
    std::memcpy(memory.data(), memory_.data(), annexed_);
    std::memcpy(memory.data() + worker_page_offset, memory_.data() + worker_page_offset,
                worker_memory_bytes - worker_page_offset);
    return copied;
  }

  Remains remains;
  std::uint64_t frames = 0;
  std::vector<std::byte> written;

 private:
  TaskQueue queue_{1, 1 << 20};
  LaneWriter lane_;
  TaskQueueView view_;
  Mapping memory_;
  WorkerPage& page_;
  os::Pipe pipe_;
  Outbox outbox_;
  std::size_t annexed_ = 0;
};

// The coordinator's side of a worker that is given to it bit by bit.
class Listener {
 public:
  explicit Listener(const Remains& remains)
      : pipe_(os::make_pipe(1 << 20)),
        inbox_(remains.map(Access::read_only), std::move(pipe_.read_end), stream_seed, payload_limit) {}

  void give(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto some = bytes.first(std::min<std::size_t>(bytes.size(), 48 << 10));
      REQUIRE(os::write_all(pipe_.write_end, some));
      take_pipe();
      bytes = bytes.subspan(some.size());
    }
  }
  void take_pipe() {
    while (inbox_.pull_from_pipe(scratch())) take_frames();
  }
  bool take_ring() {
    if (!inbox_.pull_from_ring(scratch())) return false;
    take_frames();
    while (inbox_.holds_back()) take_pipe();
    return true;
  }
  bool ring_is_ahead() const { return inbox_.ring_is_ahead(); }
  std::uint64_t taken = 0;  // frames 0, 1, 2, ... up to here
  std::vector<std::size_t> sizes;
  bool wrong = false;

 private:
  static Scratch& scratch() {
    static Scratch all;
    return all;
  }
  void take_frames() {
    for (;;) {
      const ParsedFrame frame = inbox_.next();
      if (frame.check == FrameCheck::incomplete) return;
      wrong |= frame.check == FrameCheck::bad;
      if (frame.check == FrameCheck::bad) return;
      if (frame.header.kind == FrameKind::skip) continue;
      sizes.push_back(frame.payload.size());
      const char letter = payload_of(taken, 1)[0];
      wrong |= frame.header.task != taken++ || std::any_of(frame.payload.begin(), frame.payload.end(),
                                                           [&](std::byte b) { return b != std::byte(letter); });
    }
  }

  os::Pipe pipe_;
  Inbox inbox_;
};

// Dead with the first `length` bytes of its stream in the pipe: they are drained, then its ring is.
inline std::uint64_t taken_after_death(const Remains& remains, std::span<const std::byte> stream, std::size_t length) {
  Listener listener(remains);
  listener.give(stream.first(length));
  listener.take_ring();
  REQUIRE_FALSE(listener.wrong);
  return listener.taken;
}

}  // namespace outbox_ends
