// What a worker writes: the annex, for results that are too large for the ring of its outbox; a page of a few words;
// and on that page and behind it the ring. The coordinator maps all of it read-only, and believes nothing that does not
// check out.
//
// What every worker touches lies at the end, where its view of the queue begins as a rule, and all of it on one page: a
// worker that dies of its first task has filled one page, and one table of pages, instead of two.
#pragma once

#include "os/crash_record.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>

namespace bulkhead::ipc {

/// Reserved, and occupied only by workers with results for it, as far as these need. It begins the memory.
inline constexpr std::size_t annex_bytes = 64u << 20;
inline constexpr std::size_t worker_page_offset = annex_bytes;
inline constexpr std::size_t worker_page_bytes = 1024;  // the rest of the page is the ring's
inline constexpr std::size_t outbox_ring_offset = worker_page_offset + worker_page_bytes;
inline constexpr std::size_t outbox_ring_bytes = 256u << 10;
inline constexpr std::size_t worker_memory_bytes = worker_page_offset + (4u << 10) + outbox_ring_bytes;
/// Occupied before a worker is born, from its page on; it occupies the rest itself as it comes to need it, so that one
/// that dies young has cost few pages.
inline constexpr std::size_t worker_bytes_at_birth = 16u << 10;
inline constexpr std::size_t ring_bytes_at_birth = worker_bytes_at_birth - worker_page_bytes;

/// What a worker does with the item its cursor names.
enum class Phase : std::uint8_t {
  between = 0,   // nothing in hand: the cursor is the next item, or the head of the next row
  claiming = 1,  // about to look whether it was taken back
  running = 2,   // the task is in its hands, until its frame is committed
};

struct Cursor {
  std::uint64_t offset = 0;  // of the item in the lane; a multiple of eight
  Phase phase = Phase::between;

  // Sixteen bits of the word are the incarnation's own: what a stray store leaves there is told from a cursor.
  static constexpr int tag_shift = 48;
  constexpr std::uint64_t packed(std::uint32_t seed) const noexcept {
    return offset | static_cast<std::uint64_t>(phase) | (static_cast<std::uint64_t>(seed & 0xffff) << tag_shift);
  }
  static constexpr std::optional<Cursor> unpack(std::uint64_t word, std::uint32_t seed) noexcept {
    const Cursor cursor{word & ((std::uint64_t{1} << tag_shift) - 8), static_cast<Phase>(word & 7)};
    if (word >> tag_shift != (seed & 0xffff) || cursor.phase > Phase::running) return std::nullopt;
    return cursor;
  }
  friend constexpr bool operator==(const Cursor&, const Cursor&) = default;
};

/// The words of a cursor that goes from item to item, `pitch` apart: to pack each anew would cost as much as a tiny
/// task.
class CursorWords {
 public:
  CursorWords(std::uint64_t first, std::uint64_t pitch, std::uint32_t seed) noexcept
      : word_(Cursor{first, Phase::claiming}.packed(seed)), pitch_(pitch) {}

  std::uint64_t claiming() const noexcept { return word_; }
  std::uint64_t running() const noexcept { return word_ + 1; }
  void step() noexcept { word_ += pitch_; }

 private:
  static_assert(static_cast<int>(Phase::running) == static_cast<int>(Phase::claiming) + 1);
  std::uint64_t word_, pitch_;
};

/// What a worker sleeps for. A hint: a worker that lies here harms itself, and wakes by itself now and then.
enum class Sleep : std::uint32_t { awake = 0, for_tasks = 1, for_acknowledgement = 2 };

struct WorkerPage {
  alignas(64) std::atomic<std::uint64_t> cursor;
  std::atomic<std::uint64_t>
      committed;  // outbox stream: frames before this offset are whole; or a run's bare head ends it
  alignas(64) std::atomic<std::uint32_t> asleep;
  std::atomic<std::uint64_t> ring_from;  // outbox stream: bytes before this went straight to the pipe

  std::atomic<std::uint64_t> refused;  // the cursor when memory was last refused

  alignas(64) os::CrashRecord crash;  // its last words, written by a signal handler

  // The worker's side. The cursor is stored before it is looked at how many items were kept, with a full fence between:
  // of its own, or of whoever takes tasks back (os/remote_fence.hpp). Then the compiler alone has to keep the order.
  void claim(std::uint64_t offset, std::uint32_t seed, bool fenced_remotely) noexcept {
    claim(Cursor{offset, Phase::claiming}.packed(seed), fenced_remotely);
  }
  void claim(std::uint64_t word, bool fenced_remotely) noexcept {  // of CursorWords
    if (fenced_remotely) {
      cursor.store(word, std::memory_order_release);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      cursor.store(word, std::memory_order_seq_cst);
    }
  }
  void move_to(std::uint64_t offset, Phase phase, std::uint32_t seed) noexcept {
    move_to(Cursor{offset, phase}.packed(seed));
  }
  void move_to(std::uint64_t word) noexcept { cursor.store(word, std::memory_order_release); }
  void commit(std::uint64_t offset) noexcept { committed.store(offset, std::memory_order_release); }
  void set_asleep(Sleep now) noexcept { asleep.store(static_cast<std::uint32_t>(now), std::memory_order_seq_cst); }

  void note_refusal() noexcept { refused.store(cursor.load(std::memory_order_relaxed), std::memory_order_release); }

  // The coordinator's side. Nothing: this is no cursor of that worker's.
  std::optional<Cursor> read_cursor(std::uint32_t seed) const noexcept {
    return Cursor::unpack(cursor.load(std::memory_order_seq_cst), seed);
  }
  /// Whether memory was refused while the task at `offset` was running.
  bool was_refused(std::uint64_t offset, std::uint32_t seed) const noexcept {
    return refused.load(std::memory_order_acquire) == Cursor{offset, Phase::running}.packed(seed);
  }
  std::uint64_t read_committed() const noexcept { return committed.load(std::memory_order_acquire); }
  /// A word of the ring's that the worker may be changing.
  static std::uint64_t read_word(const std::byte* at) noexcept {
    return reinterpret_cast<const std::atomic<std::uint64_t>*>(at)->load(std::memory_order_acquire);
  }
  std::uint64_t read_ring_from() const noexcept { return ring_from.load(std::memory_order_acquire); }
  Sleep read_asleep() const noexcept { return static_cast<Sleep>(asleep.load(std::memory_order_seq_cst)); }
};
static_assert(sizeof(WorkerPage) <= worker_page_bytes);
static_assert(outbox_ring_offset + outbox_ring_bytes <= worker_memory_bytes);
static_assert(worker_page_offset % (64u << 10) == 0 && worker_bytes_at_birth % (4u << 10) == 0);  // occupied by pages
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// The page in a worker's memory, which it makes, and the coordinator reads.
inline WorkerPage& make_worker_page(std::byte* memory) noexcept {
  return *::new (static_cast<void*>(memory + worker_page_offset)) WorkerPage{};
}
inline WorkerPage& worker_page_of(std::byte* memory) noexcept {
  return *reinterpret_cast<WorkerPage*>(memory + worker_page_offset);
}

}  // namespace bulkhead::ipc
