// A lane: the ring of records that one worker is dealt. The coordinator alone writes it; the worker maps it read-only.
//
// Positions are absolute offsets of a stream that only grows; a record stands at its position modulo the ring's size
// and never wraps (filler leads to the ring's start). Every record is answered by the worker with exactly one frame, in
// order: a result, or "declined" where the record had been taken back. Space is free again once it was answered.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead::ipc {

inline constexpr std::size_t lane_ring_bytes = 256u << 10;
inline constexpr std::size_t lane_header_bytes = 4096;
inline constexpr std::size_t lane_bytes = lane_header_bytes + lane_ring_bytes;
inline constexpr std::size_t record_alignment = 8;

enum class RecordForm : std::uint8_t { inlined, in_arena, filler };

struct Record {
  std::uint64_t task;
  std::uint32_t size;  // of the item; of a filler, all of it
  std::uint16_t attempt;
  RecordForm form;
  std::atomic<std::uint8_t> taken_back;
};
static_assert(sizeof(Record) == 16 && alignof(Record) == 8);
static_assert(std::atomic<std::uint8_t>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

/// Where an item lies that is too large to stand in the lane itself.
struct ArenaPlace {
  std::uint64_t offset;  // from the arena's start
  std::uint64_t size;
};

/// Items above this go to the arena, so that a lane holds many tasks whatever their size.
inline constexpr std::size_t max_inlined = 8u << 10;

struct LaneHeader {
  alignas(64) std::atomic<std::uint64_t> tail;  // records before this offset may be read
  alignas(64) std::atomic<std::uint32_t> bell;  // a worker sleeps on it; changes with each ring
  std::atomic<std::uint32_t> stop;              // 1: leave when the lane is empty
  std::atomic<std::uint32_t> admitted;          // the seed of the one incarnation that may take records; 0: none
  alignas(64) std::atomic<std::uint64_t> acknowledged;  // the worker's outbox may be overwritten up to here
};
static_assert(sizeof(LaneHeader) <= lane_header_bytes);

constexpr std::uint64_t record_stride(RecordForm form, std::uint32_t size) noexcept {
  switch (form) {
    case RecordForm::filler:
      return size;
    case RecordForm::in_arena:
      return sizeof(Record) + sizeof(ArenaPlace);
    case RecordForm::inlined:
      break;
  }
  return sizeof(Record) + ((std::uint64_t{size} + record_alignment - 1) & ~std::uint64_t{record_alignment - 1});
}
inline std::uint64_t record_stride(const Record& record) noexcept { return record_stride(record.form, record.size); }

/// The coordinator's hand on one lane. Not thread-safe. Reset for every new worker of the slot.
class LaneWriter {
 public:
  LaneWriter() noexcept = default;
  explicit LaneWriter(std::byte* lane) noexcept;  // lane_bytes of zero or used memory: starts it afresh

  /// Contiguous place for max_inlined bytes of an item behind a record header; null if the lane is full.
  std::byte* room() noexcept {
    if (room_end_ - tail_ < sizeof(Record) + max_inlined && !make_room()) return nullptr;
    return reinterpret_cast<std::byte*>(at(tail_) + 1);
  }
  /// Where the last room lies for which there is a place; rooms before it, a record's stride from one to the next, have
  /// as much of it. After room().
  std::byte* last_room() const noexcept { return ring_ + (room_end_ - max_inlined) % lane_ring_bytes; }
  /// Makes a record of the first `size` bytes of room(). It may be read after publish().
  void put(std::uint64_t task, unsigned attempt, std::size_t size) noexcept {
    append(task, attempt, RecordForm::inlined, size);
  }
  /// Records of first attempts, of what stands in room() and the rooms behind it.
  void put_row(std::uint64_t task, std::size_t count, std::size_t size) noexcept {
    for (std::size_t i = 0; i < count; ++i) append(task + i, 1, RecordForm::inlined, size);
  }
  void put(std::uint64_t task, unsigned attempt, const ArenaPlace& place) noexcept;
  void publish() noexcept;
  bool unpublished() const noexcept { return published_ != tail_; }

  void ring_bell() noexcept;
  void request_stop() noexcept;
  /// From here on the worker with this seed, and no other, may take records. Until then it may be that a worker was
  /// forked of which nobody knows: it must not execute what is dealt again to another.
  void admit(std::uint32_t seed) noexcept;
  void acknowledge(std::uint64_t offset) noexcept;

  /// The oldest record without an answer, or null.
  Record* front() noexcept { return head_ == tail_ ? nullptr : at(head_); }
  std::uint64_t front_offset() const noexcept { return head_; }
  std::uint64_t tail_offset() const noexcept { return tail_; }
  void pop() noexcept {
    head_ += record_stride(*at(head_));
    skip_filler();
  }
  /// The oldest ones, as long as `fits` says so, and at most `most`. Returns how many.
  template <class Fits>
  std::size_t pop_while(std::size_t most, Fits&& fits) noexcept {
    std::size_t popped = 0;
    for (; popped < most && head_ != tail_ && fits(*at(head_)); ++popped) pop();
    return popped;
  }

  std::span<const std::byte> inlined(const Record& record) const noexcept {
    return {reinterpret_cast<const std::byte*>(&record + 1), record.size};
  }
  ArenaPlace place(const Record& record) const noexcept { return *reinterpret_cast<const ArenaPlace*>(&record + 1); }

  /// Visits every record from `offset` on, oldest first.
  template <class Visit>
  void for_each_from(std::uint64_t offset, Visit&& visit) {
    for (std::uint64_t p = offset; p < tail_;) {
      Record& record = *at(p);
      if (record.form != RecordForm::filler) visit(record, p);
      p += record_stride(record);
    }
  }

 private:
  Record* at(std::uint64_t offset) const noexcept {
    return reinterpret_cast<Record*>(ring_ + offset % lane_ring_bytes);
  }
  void append(std::uint64_t task, unsigned attempt, RecordForm form, std::size_t size) noexcept {
    Record* record = at(tail_);
    record->task = task;
    record->size = static_cast<std::uint32_t>(size);
    record->attempt = static_cast<std::uint16_t>(attempt);
    record->form = form;
    record->taken_back.store(0, std::memory_order_relaxed);
    tail_ += record_stride(form, record->size);
  }
  void skip_filler() noexcept {
    if (head_ != tail_ && at(head_)->form == RecordForm::filler) head_ += at(head_)->size;
  }
  bool make_room() noexcept;
  void append_filler(std::uint64_t size) noexcept;

  LaneHeader* header_ = nullptr;
  std::byte* ring_ = nullptr;
  std::uint64_t head_ = 0, tail_ = 0, published_ = 0;
  std::uint64_t room_end_ = 0;  // records may be put up to here without looking at the head again
};

/// The worker's eye on its lane: a read-only mapping.
class LaneReader {
 public:
  explicit LaneReader(const std::byte* lane) noexcept
      : header_(reinterpret_cast<const LaneHeader*>(lane)), ring_(lane + lane_header_bytes) {}

  std::uint64_t tail() const noexcept { return header_->tail.load(std::memory_order_acquire); }
  bool stop_requested() const noexcept { return header_->stop.load(std::memory_order_acquire) != 0; }
  std::uint32_t admitted() const noexcept { return header_->admitted.load(std::memory_order_acquire); }
  std::uint64_t acknowledged() const noexcept { return header_->acknowledged.load(std::memory_order_acquire); }
  const Record& at(std::uint64_t offset) const noexcept {
    return *reinterpret_cast<const Record*>(ring_ + offset % lane_ring_bytes);
  }
  static bool taken_back(const Record& record) noexcept {
    return record.taken_back.load(std::memory_order_seq_cst) != 0;
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
