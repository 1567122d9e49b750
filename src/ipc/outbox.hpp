// The worker's outbox: results are composed in a ring of its own shared memory and written from there to the pipe.
//
// Offsets are absolute in one stream of frames. A byte of the ring is reused only when the coordinator has acknowledged
// it, so that after a death the ring still holds whatever the pipe did not carry. Large results lie in the annex, and
// their frame says where. A frame too large for the ring goes straight to the pipe, and `committed` passes it
// afterwards.
#pragma once

#include "ipc/annex.hpp"
#include "ipc/frame.hpp"
#include "ipc/lane.hpp"
#include "ipc/worker_page.hpp"
#include "os/fd.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <utility>

namespace bulkhead::ipc {

/// A result is composed in place up to this; the ring's last bytes of a lap stay unused by as much at worst.
inline constexpr std::size_t in_place_payload = 4u << 10;

class Outbox {
 public:
  /// `page` lies in the worker's memory, and so do annex and ring, before and behind it.
  Outbox(WorkerPage& page, LaneReader lane, os::Fd pipe, std::uint32_t seed)
      : page_(page),
        ring_(reinterpret_cast<std::byte*>(&page) + worker_page_bytes),
        annex_(reinterpret_cast<std::byte*>(&page) - worker_page_offset, annex_bytes),
        lane_(lane),
        pipe_(std::move(pipe)),
        seed_(seed) {}

  /// Place for a result that something is to precede in the stream that is known only afterwards. One a process.
  static std::span<std::byte> apart() noexcept;

  /// Contiguous place for a payload of `size`, at most max_ring_payload. Waits for the coordinator where the ring is
  /// full.
  std::span<std::byte> room(std::size_t size = in_place_payload) {
    end_run();
    if (end_ + frame_stride(size) > room_end_) make_room(frame_stride(size));
    return {at(end_) + sizeof(FrameHeader), size};
  }
  /// Makes a frame of the first `size` bytes of room().
  void put(FrameKind kind, std::uint64_t task, unsigned attempt, std::size_t size) noexcept {
    compose(kind, task, attempt, size);
    page_.commit(end_);
  }
  /// The same for a value: values of first attempts, of tasks that follow one another, and of the same size, have one
  /// frame.
  std::span<std::byte> value_room() {
    const bool fits = grows() && run_size() + value_stride(last_size_) <= max_run_payload &&
                      end() + frame_stride(in_place_payload) <= room_end_;
    return fits ? std::span(at(end()), in_place_payload) : room();
  }
  /// Makes it of the first `size` bytes of value_room().
  void put_value(std::uint64_t task, unsigned attempt, std::size_t size) noexcept {
    const bool like_the_last = size == last_size_ && attempt == 1;
    if (like_the_last && continues_run(task)) {
      GrowingRun run = growing_run();
      return run.lengthen();
    }
    leave_run(size);
    if (like_the_last) return begin_run(task);
    put(FrameKind::value, task, attempt, size);
    last_size_ = size;
  }
  /// How many values, of tasks from `task` on, would lengthen the run that is being made, if all are as large as its
  /// others. For each: the place of growing_run(), then its lengthen() while grows(), and nothing else between.
  std::size_t places_in_run(std::uint64_t task) const noexcept {
    const std::uint64_t after = end() + frame_stride(in_place_payload);
    if (!continues_run(task) || after > room_end_) return 0;
    return std::min<std::uint64_t>(max_run_payload - run_size(), room_end_ - after) / value_stride(last_size_);
  }
  /// What a loop that makes the run longer keeps in registers: a value costs its own store and one more.
  struct GrowingRun {
    std::uint64_t* head;  // what the values count by
    std::byte* value;     // the next one's place, as large as room()
    std::size_t each, stride;
    std::uint32_t checksum, size;

    std::span<std::byte> place() const noexcept { return {value, in_place_payload}; }
    void lengthen() noexcept {
      if (each == sizeof(std::uint64_t)) {
        std::uint64_t number;
        std::memcpy(&number, value, sizeof number);
        checksum = crc32c_of_number(checksum, number);
      } else {
        if (each == 0) std::memset(value, 0, stride);
        checksum = run_checksum(checksum, each, {value, stride});
      }
      size += static_cast<std::uint32_t>(stride);
      value += stride;
      std::atomic_ref(*head).store(counted_by(checksum, size), std::memory_order_release);
    }
  };
  /// There must be one.
  GrowingRun growing_run() const noexcept {
    return {run_at_, at(end()), last_size_, value_stride(last_size_), checksum_counted_by(*run_at_), run_size()};
  }
  /// No frame was put since.
  bool grows() const noexcept { return run_at_ != nullptr; }
  /// A frame with a payload that lies elsewhere; of any size.
  void put_copy(FrameKind kind, std::uint64_t task, unsigned attempt, std::span<const std::byte> payload);

  /// Place for a result of `size` that is too large for room(): it need not be copied any more. Waits for the
  /// coordinator where others have not been taken yet. Empty: there will be none.
  std::span<std::byte> large_room(std::size_t size);
  /// The value that was composed in the last large_room().
  void put_large(std::uint64_t task, unsigned attempt, std::span<const std::byte> value);

  /// Results in the annex included.
  std::uint64_t unsent() const noexcept { return end() - sent_ + unsent_in_annex_; }
  /// Writes everything to the pipe. Leaves the process where the coordinator has gone.
  void flush();
  const os::Fd& pipe() const noexcept { return pipe_; }
  /// How long it has waited for the coordinator since this was asked last: no task's time.
  std::chrono::nanoseconds take_waited() noexcept { return std::exchange(waited_, {}); }

 private:
  FrameHeader header(FrameKind kind, std::uint64_t task, unsigned attempt,
                     std::span<const std::byte> payload) const noexcept {
    FrameHeader made{0,
                     static_cast<std::uint32_t>(payload.size()),
                     static_cast<std::uint32_t>(task),
                     static_cast<std::uint16_t>(attempt),
                     kind,
                     frame_magic};
    made.checksum = frame_checksum(made, seed_, payload);
    return made;
  }
  void compose(FrameKind kind, std::uint64_t task, unsigned attempt, std::size_t size) noexcept {
    std::byte* const place = at(end_);
    *::new (static_cast<void*>(place)) FrameHeader = header(kind, task, attempt, {place + sizeof(FrameHeader), size});
    end_ += frame_stride(size);
  }
  void leave_run(std::size_t size) noexcept;
  void begin_run(std::uint64_t task) noexcept;
  void end_run() noexcept {
    if (!grows()) return;
    end_ = end();
    run_at_ = nullptr;
    page_.commit(end_);
  }
  std::byte* at(std::uint64_t offset) const noexcept { return ring_ + offset % outbox_ring_bytes; }
  /// How far the run goes stands in its head, and nowhere else. After a stray store there it ends where there still is
  /// room all the same, and the checksum tells it from a run.
  std::uint32_t run_size() const noexcept {
    const std::uint64_t said = std::min<std::uint64_t>(size_counted_by(*run_at_), max_run_payload);
    return static_cast<std::uint32_t>(std::min(said, room_end_ - end_) & ~(frame_alignment - 1));
  }
  std::uint64_t end() const noexcept { return grows() ? end_ + run_size() : end_; }
  bool continues_run(std::uint64_t task) const noexcept {
    return grows() && (task - run_task_) * value_stride(last_size_) == run_size();
  }
  void make_room(std::uint64_t needed);
  void occupy(std::uint64_t bytes);
  /// Bytes of the ring before this may be overwritten.
  std::uint64_t acknowledged() const noexcept { return std::max(lane_.acknowledged(), straight_); }
  template <class Free>
  void wait_until(Free&& free);
  void put_straight(FrameKind kind, std::uint64_t task, unsigned attempt, std::span<const std::byte> payload);

  WorkerPage& page_;
  std::byte* ring_;
  Annex annex_;
  LaneReader lane_;
  os::Fd pipe_;
  std::uint32_t seed_;
  std::uint64_t end_ = 0, sent_ = 0;  // stream offsets: composed up to, but for a run's values; written up to
  std::uint64_t room_end_ = 0;        // composing may go on up to here without asking anyone
  std::uint64_t occupied_ = ring_bytes_at_birth;  // of the ring: nothing is stored behind it
  std::uint64_t straight_ = 0;                    // bytes before this never stood in the ring
  std::uint64_t unsent_in_annex_ = 0;
  std::uint64_t* run_at_ = nullptr;  // the head of the run that may grow, in the ring; null: there is none
  std::uint64_t run_task_ = 0;       // its first task
  std::size_t last_size_ = in_place_payload + 1;
  std::chrono::nanoseconds waited_{};
};

}  // namespace bulkhead::ipc
