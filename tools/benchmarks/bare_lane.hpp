// What both floors of `tiny` stand on: two forked workers that read descriptors from lanes they map read-only, note the
// one in hand in a page of their own with a full fence before each task, and answer through a pipe in batches.
#pragma once

#include "tiny_peers.hpp"

#include <poll.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace bench {

constexpr std::uint32_t lane_slots = 4096;
constexpr std::size_t batch_bytes = 32u << 10;

struct LaneTask {
  std::uint64_t task, item;
};

struct Lane {  // written by the coordinator, read-only to its worker
  alignas(64) std::atomic<std::uint64_t> tail;
  std::atomic<std::uint32_t> bell;
  alignas(64) std::atomic<std::uint64_t> taken_back_from;
  alignas(64) std::atomic<std::uint32_t> stop;
  alignas(64) std::array<LaneTask, lane_slots> slots;
};

struct LanePage {  // written by the worker
  alignas(64) std::atomic<std::uint64_t> cursor;
  std::atomic<std::uint64_t> committed;
  std::atomic<std::uint32_t> asleep;
  alignas(64) std::array<std::byte, 2 * batch_bytes> outbox;
};

/// Throws std::runtime_error that says `what` unless it holds.
void require_of_lanes(bool holds, const char* what);

/// The whole pages within the range, before they are touched.
void advise_huge(void* memory, std::size_t size);

void write_or_leave(int pipe, std::span<const std::byte> bytes);

/// In a worker: sleeps until there is a task behind `head`; leaves the process when it was told to stop.
void sleep_at(Lane& lane, LanePage& page, std::uint64_t head);

/// A worker's life. An Outbox has put(task, value), full() and flush().
template <class Outbox>
[[noreturn]] void serve_lane(Lane& lane, LanePage& page, Outbox outbox) {
  for (std::uint64_t head = 0;;) {
    const std::uint64_t tail = lane.tail.load(std::memory_order_acquire);
    if (head == tail) {
      outbox.flush();
      sleep_at(lane, page, head);
      continue;
    }
    for (; head < tail; ++head) {
      page.cursor.store(head + 1, std::memory_order_seq_cst);
      if (lane.taken_back_from.load(std::memory_order_seq_cst) <= head) continue;
      const LaneTask& task = lane.slots[head % lane_slots];
      outbox.put(task.task, square(task.item));
      page.committed.store(head + 1, std::memory_order_release);
      if (outbox.full()) outbox.flush();
    }
  }
}

/// The two workers as the coordinator sees them. They are told to stop and reaped at the end.
class LaneWorkers {
 public:
  /// What a worker does with its lane, its page and the end of its pipe; does not return.
  using Life = std::function<void(Lane&, LanePage&, int pipe)>;

  explicit LaneWorkers(const Life& life);
  ~LaneWorkers();
  LaneWorkers(const LaneWorkers&) = delete;
  LaneWorkers& operator=(const LaneWorkers&) = delete;

  /// Deals tasks from `next` on, below `end`, to each worker whose lane has a quarter free.
  void fill(std::uint64_t& next, std::uint64_t end);
  /// Reads what worker `w` has sent behind what `into` holds; returns how much, 0: nothing now.
  std::size_t read(std::size_t w, std::span<std::byte> into);
  void note_answered(std::size_t w, std::uint64_t tasks) { answered_[w] += tasks; }
  void wait_for_results() { ::poll(pipes_.data(), pipes_.size(), -1); }

 private:
  void start(std::size_t w, const Life& life);
  void ring(std::size_t w);

  int queue_ = -1;
  Lane* lanes_ = nullptr;
  LanePage* pages_ = nullptr;
  std::array<pid_t, workers> pids_{};
  std::array<pollfd, workers> pipes_{};
  std::array<std::uint64_t, workers> dealt_{}, answered_{};
};

}  // namespace bench
