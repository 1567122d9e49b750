// The driver's end of the blocks: tasks are put into their places, and blocks that are done with are filled again.
#pragma once

#include <bulkhead/detail/task_block.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// The driver's alone: what is put is seen by nobody until its spans were taken and handed over.
template <class Item, class R>
class BlockFiller {
 public:
  using Block = TaskBlock<Item, R>;
  /// A block of this filler's, whose type its span does not tell.
  static Block& block_of(const TaskSpan& span) noexcept { return static_cast<Block&>(*span.block); }

  void put(std::size_t index, unsigned attempt, Item&& item) {
    Filling& filling = attempt == 1 ? first_ : again_;
    if (&filling == &first_ && filling.block && index != filling.block->index(filling.block->filled)) close(filling);
    if (filling.block == nullptr) open(filling, index);
    Block& block = *filling.block;
    if (block.tried_before) block.again[block.filled] = {index, attempt};
    block.items[block.filled].emplace(std::move(item));
    ++tasks_;
    if (++block.filled == Block::size) close(filling);
  }
  /// First attempts, from `index` on, which are put here one after the other: at least one place.
  std::span<ItemPlace<Item>> places(std::size_t index) {
    if (first_.block && index != first_.block->index(first_.block->filled)) close(first_);
    if (first_.block == nullptr) open(first_, index);
    return std::span(first_.block->items).subspan(first_.block->filled);
  }
  /// So many of these were.
  void have_put(std::size_t count) {
    tasks_ += count;
    if ((first_.block->filled += static_cast<std::uint32_t>(count)) == Block::size) close(first_);
  }
  /// Put, and not taken yet.
  std::size_t tasks() const noexcept { return tasks_; }

  /// What was put since the last time.
  std::vector<TaskSpan> take(std::chrono::steady_clock::time_point now) {
    close_span(first_);
    close_span(again_);
    for (TaskSpan& span : fresh_) span.dealt = now;
    tasks_ = 0;
    return std::exchange(fresh_, {});
  }

  /// The driver is done with so many tasks of a block.
  void settle(Block& block, std::uint32_t tasks) {
    block.settled += tasks;
    if (&block != first_.block && &block != again_.block) use_again(block);
  }

 private:
  struct Filling {
    Block* block = nullptr;
    std::uint32_t taken_to = 0;
  };

  void open(Filling& filling, std::size_t index) {
    if (spare_.empty()) {
      blocks_.push_back(std::make_unique_for_overwrite<Block>());
      spare_.push_back(blocks_.back().get());
    }
    fresh_.reserve(fresh_.size() + 4);  // so that nothing fails once a task is in its place
    filling = {spare_.back(), 0};
    spare_.pop_back();
    filling.block->first_index = index;
    filling.block->tried_before = &filling == &again_;
  }
  void close_span(Filling& filling) {
    if (filling.block == nullptr || filling.taken_to == filling.block->filled) return;
    fresh_.push_back({filling.block, filling.taken_to, filling.block->filled, {}});
    filling.taken_to = filling.block->filled;
  }
  void close(Filling& filling) {
    close_span(filling);
    use_again(*std::exchange(filling.block, nullptr));
  }
  void use_again(Block& block) {
    if (block.settled != block.filled) return;
    block.filled = block.settled = 0;
    spare_.push_back(&block);
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<Block*> spare_;
  Filling first_, again_;        // first attempts, and others
  std::vector<TaskSpan> fresh_;  // filled, not taken
  std::size_t tasks_ = 0;        // in these
};

}  // namespace bulkhead::detail
