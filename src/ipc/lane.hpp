// A lane: the ring of rows that one worker is dealt. The coordinator alone writes it; the worker maps it read-only.
//
// Positions are absolute offsets of a stream that only grows; a row stands at its position modulo the ring's size and
// never wraps (filler leads to the ring's start). Every item is answered by the worker with exactly one frame, or a
// value in one, in order: a result, or "declined" where it had been taken back. A row's space is free again once all of
// it was answered; that of filler, which nobody answers, once something behind it was.
#pragma once

#include "ipc/row.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace bulkhead::ipc {

inline constexpr std::size_t lane_ring_bytes = 256u << 10;
inline constexpr std::size_t lane_header_bytes = 4096;
inline constexpr std::size_t lane_bytes = lane_header_bytes + lane_ring_bytes;
inline constexpr std::size_t ring_bytes_at_first = 20u << 10;  // for a run of a few tasks
inline constexpr std::size_t ring_step = 64u << 10;  // behind them, and as much more each time that half is not enough

/// Items above this go to the arena, so that a lane holds many tasks whatever their size.
inline constexpr std::size_t max_inlined = 8u << 10;

struct LaneHeader {
  alignas(64) std::atomic<std::uint64_t> tail;          // rows before this offset may be read
  alignas(64) std::atomic<std::uint32_t> bell;          // a worker sleeps on it; changes with each ring
  std::atomic<std::uint32_t> stop;                      // 1: leave when the lane is empty
  std::atomic<std::uint32_t> admitted;                  // the seed of the one incarnation that may take items; 0: none
  std::uint32_t slot;                                   // that its worker has, from when it is admitted
  alignas(64) std::atomic<std::uint64_t> acknowledged;  // the worker's outbox may be overwritten up to here
};
static_assert(sizeof(LaneHeader) <= lane_header_bytes);

/// Items that lie in the arena.
struct LargeItems {
  std::size_t count = 0;
  std::uint64_t bytes = 0;  // of all of them
};

/// The coordinator's hand on one lane. Not thread-safe. Made afresh for every new worker.
class LaneWriter {
 public:
  /// Occupies the ring up to so many bytes; returns how many there are: as before where that fails. Throws nothing.
  using Occupy = std::function<std::size_t(std::size_t up_to)>;

  LaneWriter() noexcept = default;
  /// lane_bytes of zero or used memory: starts it afresh.
  LaneWriter(std::byte* lane, std::size_t occupied, Occupy occupy) noexcept;

  /// Contiguous place for max_inlined bytes of an item behind a row's head; null if the lane is full.
  std::byte* room() noexcept {
    if (room_end_ < tail_ + sizeof(Row) + max_inlined && !make_room()) return nullptr;
    return reinterpret_cast<std::byte*>(at(tail_) + 1);
  }
  /// Where the last room lies, behind the one above, that has as much place, also when a row's head comes before it.
  std::byte* last_room() const noexcept { return ring_ + (room_end_ - max_inlined - sizeof(Row)) % lane_ring_bytes; }
  /// Makes a row of `count` items of `size` bytes, the first in room(), the others a pitch apart behind it. It may be
  /// read after publish().
  void put(std::uint64_t task, unsigned attempt, std::size_t size, std::size_t count = 1) noexcept {
    append(task, attempt, RowForm::inlined, size, count);
  }
  /// Makes a row of one large item. There must be room().
  void put(std::uint64_t task, unsigned attempt, const ArenaPlace& place) noexcept;
  void publish() noexcept;
  bool unpublished() const noexcept { return published_ != tail_; }

  void ring_bell() noexcept;
  void request_stop() noexcept;
  /// From here on the worker with this seed, and no other, may take items. Until then it may be that a worker was
  /// forked of which nobody knows: it must not execute what is dealt again to another.
  void admit(std::uint32_t seed, std::uint32_t slot) noexcept;
  void acknowledge(std::uint64_t offset) noexcept;

  /// The oldest item without an answer, if there is one.
  Record front() const noexcept { return empty() ? Record() : Record(*at(head_), answered_); }
  /// Where it stands.
  std::uint64_t front_offset() const noexcept {
    return empty() ? head_ : head_ + sizeof(Row) + answered_ * at(head_)->pitch();
  }
  std::uint64_t tail_offset() const noexcept { return tail_; }
  /// Those without an answer that were not moved away.
  LargeItems large() const noexcept { return large_; }
  /// So many items at the front, of one row, are of first attempts, stand in the lane itself, and were not moved away.
  std::size_t plain_at_front() const noexcept {
    if (empty()) return 0;
    const Row& row = *at(head_);
    const bool plain = row.attempt == 1 && row.form == RowForm::inlined;
    return plain && row.unmoved > answered_ ? row.unmoved - answered_ : 0;
  }
  /// Drops that many items at the front; of one row.
  void pop(std::size_t count = 1) noexcept {
    const Row& row = *at(head_);
    if ((answered_ += count) < row.count) return;
    if (row.unmoved != 0) forget_large(row);
    answered_ = 0;
    passed_ = head_ += row.bytes();
    skip_filler();
  }

  /// All items of a row but the first `certain` were moved away.
  void note_moved(Row& row, std::size_t certain) noexcept {
    if (certain >= row.unmoved) return;
    row.unmoved = static_cast<std::uint16_t>(certain);
    if (certain == 0) forget_large(row);
  }

  /// Visits every row that has an item without an answer, oldest first: visit(row, its offset, which item is the
  /// first).
  template <class Visit>
  void for_each_row(Visit&& visit) {
    std::size_t first = answered_;
    for (std::uint64_t p = head_; p < tail_; p += at(p)->bytes())
      if (at(p)->form != RowForm::filler) visit(*at(p), p, std::exchange(first, 0));
  }
  /// Visits every item without an answer, oldest first.
  template <class Visit>
  void for_each(Visit&& visit) {
    for_each_row([&](const Row& row, std::uint64_t, std::size_t first) {
      for (std::size_t i = first; i < row.count; ++i) visit(Record(row, i));
    });
  }

 private:
  Row* at(std::uint64_t offset) const noexcept { return reinterpret_cast<Row*>(ring_ + offset % lane_ring_bytes); }
  bool empty() const noexcept { return head_ == tail_; }
  void append(std::uint64_t task, unsigned attempt, RowForm form, std::size_t size, std::size_t count) noexcept {
    Row* const row = at(tail_);
    row->task = task;
    row->size = static_cast<std::uint32_t>(size);
    row->attempt = static_cast<std::uint16_t>(attempt);
    row->count = row->unmoved = static_cast<std::uint16_t>(count);
    row->kept.store(row->count, std::memory_order_relaxed);
    row->form = form;
    tail_ += row->bytes();
  }
  void forget_large(const Row& row) noexcept {
    if (row.form != RowForm::in_arena) return;
    --large_.count;
    large_.bytes -= Record(row, 0).place().size;
  }
  void skip_filler() noexcept {
    if (!empty() && at(head_)->form == RowForm::filler) head_ += at(head_)->size;
  }
  bool make_room() noexcept;
  bool fits_in_lap() const noexcept;
  void append_filler(std::uint64_t size) noexcept;

  LaneHeader* header_ = nullptr;
  std::byte* ring_ = nullptr;
  std::uint64_t head_ = 0, tail_ = 0, published_ = 0;
  std::uint64_t passed_ = 0;  // by the worker: head_, but for filler that it may still have to read
  std::size_t answered_ = 0;  // items of the row at head_
  LargeItems large_;
  std::uint64_t room_end_ = 0;  // rows may be put up to here without looking at what was answered
  std::size_t occupied_ = 0;    // bytes of the ring
  Occupy occupy_;
  std::uint64_t grows_from_ = 0;  // no more memory is asked for before the tail is here
};

/// The worker's eye on its lane: a read-only mapping.
class LaneReader {
 public:
  explicit LaneReader(const std::byte* lane) noexcept
      : header_(reinterpret_cast<const LaneHeader*>(lane)), ring_(lane + lane_header_bytes) {}

  std::uint64_t tail() const noexcept { return header_->tail.load(std::memory_order_acquire); }
  bool stop_requested() const noexcept { return header_->stop.load(std::memory_order_acquire) != 0; }
  std::uint32_t admitted() const noexcept { return header_->admitted.load(std::memory_order_acquire); }
  /// Of who was admitted.
  std::uint32_t slot() const noexcept { return header_->slot; }
  std::uint64_t acknowledged() const noexcept { return header_->acknowledged.load(std::memory_order_acquire); }
  const Row& at(std::uint64_t offset) const noexcept {
    return *reinterpret_cast<const Row*>(ring_ + offset % lane_ring_bytes);
  }
  static bool taken_back(const Row& row, std::size_t item) noexcept {
    return item >= row.kept.load(std::memory_order_seq_cst);
  }

  std::uint32_t bell() const noexcept { return header_->bell.load(std::memory_order_seq_cst); }
  /// Sleeps until the bell rings again after `heard`; now and then returns without, since "asleep" is only a hint.
  void sleep(std::uint32_t heard) const noexcept;

 private:
  const LaneHeader* header_;
  const std::byte* ring_;
};

/// Orders what was stored before it against what is loaded after it: the two sides of "started" and "taken back".
inline void full_fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace bulkhead::ipc
