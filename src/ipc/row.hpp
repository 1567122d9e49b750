// The form in which tasks stand in a lane: rows of items. The coordinator alone writes them; workers see them
// read-only.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead::ipc {

enum class RowForm : std::uint8_t { inlined, in_arena, filler };

/// What stands before items of consecutive tasks, one behind the other, and is true of each of them.
struct Row {
  std::uint64_t task;     // of the first item
  std::uint32_t size;     // bytes of each; of a filler, of all of it
  std::uint16_t attempt;  // 1, 2, ...
  std::uint16_t count;    // of items; of a filler 0
  // Tasks are taken back from the row's end. Items behind the first `kept` were, and a worker declines them. Of those
  // behind the first `unmoved` it is certain that it has not started them: they were dealt elsewhere.
  std::atomic<std::uint16_t> kept;
  std::uint16_t unmoved;  // never below `kept`; the worker does not look at it
  RowForm form;

  /// From each item to the next.
  std::uint64_t pitch() const noexcept { return pitch(form, size); }
  static constexpr std::uint64_t pitch(RowForm form, std::uint32_t size) noexcept;
  /// All that it takes, this head included.
  std::uint64_t bytes() const noexcept { return form == RowForm::filler ? size : sizeof(Row) + count * pitch(); }
  const std::byte* item(std::size_t index) const noexcept {
    return reinterpret_cast<const std::byte*>(this + 1) + index * pitch();
  }
};
static_assert(sizeof(Row) == 24 && alignof(Row) == 8);
static_assert(std::atomic<std::uint16_t>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

inline constexpr std::size_t item_alignment = 8;

/// Where an item lies that is too large to stand in the lane itself.
struct ArenaPlace {
  std::uint64_t offset;  // from the arena's start
  std::uint64_t size;
};

// An item without a byte has a place of its own all the same: a cursor tells items by their places.
constexpr std::uint64_t Row::pitch(RowForm form, std::uint32_t size) noexcept {
  if (form == RowForm::in_arena) return sizeof(ArenaPlace);
  return std::max<std::uint64_t>(item_alignment, (std::uint64_t{size} + item_alignment - 1) & ~(item_alignment - 1));
}

/// What the coordinator has decided about an item. A worker declines all that are not `dealt`: it looks at `kept`
/// alone.
enum class Mark : std::uint8_t {
  dealt,
  asked,  // taken back, but the worker may have been quicker: its answer will tell
  moved,  // taken back before it was started, and dealt elsewhere
};

/// One item of a row, as the coordinator sees it; or none.
class Record {
 public:
  Record() noexcept = default;
  Record(const Row& row, std::size_t index) noexcept : row_(&row), index_(index) {}

  explicit operator bool() const noexcept { return row_ != nullptr; }
  std::uint64_t task() const noexcept { return row_->task + index_; }
  unsigned attempt() const noexcept { return row_->attempt; }
  bool in_arena() const noexcept { return row_->form == RowForm::in_arena; }
  ArenaPlace place() const noexcept { return *reinterpret_cast<const ArenaPlace*>(row_->item(index_)); }
  /// Where it stands in the lane itself.
  std::span<const std::byte> inlined() const noexcept { return {row_->item(index_), row_->size}; }
  Mark mark() const noexcept {
    if (index_ < row_->kept.load(std::memory_order_relaxed)) return Mark::dealt;
    return index_ < row_->unmoved ? Mark::asked : Mark::moved;
  }
  friend bool operator==(const Record&, const Record&) = default;

 private:
  const Row* row_ = nullptr;
  std::size_t index_ = 0;
};

}  // namespace bulkhead::ipc
