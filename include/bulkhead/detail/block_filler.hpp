// The driver's end of the blocks: tasks are put into their places, and blocks that are done with are filled again.
#pragma once

#include <bulkhead/detail/task_block.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// The driver's alone: what is put is seen by nobody until its spans were taken and handed over.
template <class Item, class R>
class BlockFiller {
 public:
  using Block = TaskBlock<Item, R>;
  using Span = BlockSpan<Block>;

  void put(std::size_t index, unsigned attempt, Item&& item) {
    if (filling_ != nullptr && (index != filling_->index(filling_->filled) || attempt != filling_->attempt))
      close_block();
    if (filling_ == nullptr) open_block(index, attempt);
    filling_->items[filling_->filled].emplace(std::move(item));
    ++filling_->filled;
    ++tasks_;
    if (filling_->filled == Block::size) close_block();
  }
  /// Put, and not taken yet.
  std::size_t tasks() const noexcept { return tasks_; }

  /// What was put since the last time.
  std::vector<Span> take(std::chrono::steady_clock::time_point now) {
    close_span();
    for (Span& span : fresh_) span.dealt = now;
    tasks_ = 0;
    return std::exchange(fresh_, {});
  }

  /// The driver is done with so many tasks of a block.
  void settle(Block& block, std::uint32_t tasks) {
    block.settled += tasks;
    if (&block != filling_) use_again(block);
  }

 private:
  void open_block(std::size_t index, unsigned attempt) {
    if (spare_.empty()) {
      blocks_.push_back(std::make_unique_for_overwrite<Block>());
      spare_.push_back(blocks_.back().get());
    }
    fresh_.reserve(fresh_.size() + 2);  // so that nothing fails once a task is in its place
    filling_ = spare_.back();
    spare_.pop_back();
    filling_->first_index = index;
    filling_->attempt = attempt;
    taken_to_ = 0;
  }
  void close_span() {
    if (filling_ == nullptr || taken_to_ == filling_->filled) return;
    fresh_.push_back({filling_, taken_to_, filling_->filled, {}});
    taken_to_ = filling_->filled;
  }
  void close_block() {
    close_span();
    use_again(*std::exchange(filling_, nullptr));
  }
  void use_again(Block& block) {
    if (block.settled != block.filled) return;
    block.filled = block.settled = 0;
    spare_.push_back(&block);
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<Block*> spare_;
  Block* filling_ = nullptr;
  std::uint32_t taken_to_ = 0;  // of the block that is being filled
  std::vector<Span> fresh_;     // filled, not taken
  std::size_t tasks_ = 0;       // in these
};

}  // namespace bulkhead::detail
