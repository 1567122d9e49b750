// Outcomes that ended before their turn, until it comes.
#pragma once

#include <bulkhead/outcome.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// Blocks by the task's number, each made when the first of its outcomes comes. One that came far ahead of the others
/// takes a block and not all the memory between: a page that is touched for the first time costs as much as many tiny
/// tasks. Blocks are used again.
template <class R>
class Reorder {
 public:
  std::uint64_t front_index() const noexcept { return front_; }
  std::size_t bytes() const noexcept { return bytes_; }
  /// What may wait here if all before `index` come before the next one does, and are like those of late.
  std::size_t bytes_expected(std::uint64_t index) const noexcept {
    return bytes_ + (index - front_ - count_) * static_cast<std::size_t>(typical_);
  }
  bool is_next(std::uint64_t index) const noexcept { return index == front_; }
  bool front_is_there() const noexcept {
    const Block* const block = here_ != 0 ? place_of(front_).get() : nullptr;
    return block != nullptr && (block->there & bit_of(front_)) != 0;
  }

  /// The next ones were delivered without a stay here.
  void pass_front(std::size_t count = 1) noexcept { front_ += count; }

  /// So many, of `bytes` each, wait somewhere else; they count as if they waited here.
  void note_held(std::size_t count, std::uint32_t bytes) noexcept { note(count, bytes); }
  /// The next ones are those.
  void pass_held(std::size_t count, std::uint32_t bytes) noexcept {
    front_ += count;
    count_ -= count;
    bytes_ -= count * bytes;
  }

  void put(std::uint64_t index, Outcome<R> outcome, std::uint32_t bytes) {
    Block& block = block_for(index);
    block.outcomes[index % in_block] = std::move(outcome);
    block.bytes[index % in_block] = bytes;
    block.there |= bit_of(index);
    ++here_;
    note(1, bytes);
  }
  /// Moves the next one out, if it is here.
  bool take_front(Outcome<R>& into) {
    if (!front_is_there()) return false;
    std::unique_ptr<Block>& place = place_of(front_);
    Outcome<R>& outcome = place->outcomes[front_ % in_block];
    into = std::move(outcome);
    if constexpr (!std::is_trivially_destructible_v<R>) outcome = {};  // moving may have been copying
    bytes_ -= place->bytes[front_ % in_block];
    place->there &= ~bit_of(front_);
    if (place->there == 0) spare_.push_back(std::move(place));
    --here_;
    --count_;
    ++front_;
    return true;
  }

 private:
  /// At most as many as a word has bits; few where they are large, for a block may be there for one of them.
  static constexpr std::size_t in_block = sizeof(Outcome<R>) <= 256 ? 64 : 8;
  struct Block {
    std::uint64_t there = 0;  // a bit for each
    std::array<std::uint32_t, in_block> bytes;
    std::array<Outcome<R>, in_block> outcomes;
  };

  void note(std::size_t count, std::uint32_t bytes) noexcept {
    bytes_ += count * bytes;
    typical_ += (std::int64_t{bytes} - typical_) / 8;
    count_ += count;
  }

  static std::uint64_t bit_of(std::uint64_t index) noexcept { return std::uint64_t{1} << (index % in_block); }
  using Blocks = std::vector<std::unique_ptr<Block>>;

  static std::size_t place_in(const Blocks& ring, std::uint64_t block) noexcept { return block & (ring.size() - 1); }
  std::unique_ptr<Block>& place_of(std::uint64_t index) noexcept {
    return blocks_[place_in(blocks_, index / in_block)];
  }
  const std::unique_ptr<Block>& place_of(std::uint64_t index) const noexcept {
    return blocks_[place_in(blocks_, index / in_block)];
  }

  Block& block_for(std::uint64_t index) {
    const std::uint64_t ahead = index / in_block - front_ / in_block;
    if (ahead >= blocks_.size()) grow(ahead + 1);
    std::unique_ptr<Block>& place = place_of(index);
    if (!place && !spare_.empty()) {
      place = std::move(spare_.back());
      spare_.pop_back();
    } else if (!place) {
      if (spare_.capacity() <= made_) spare_.reserve(2 * made_ + 1);
      place = std::make_unique_for_overwrite<Block>();
      ++made_;
    }
    return *place;
  }

  void grow(std::uint64_t needed) {
    Blocks larger(std::bit_ceil(needed));
    const std::uint64_t first = front_ / in_block;
    for (std::uint64_t block = first; block < first + blocks_.size(); ++block)
      larger[place_in(larger, block)] = std::move(blocks_[place_in(blocks_, block)]);
    blocks_ = std::move(larger);
  }

  Blocks blocks_ = Blocks(1);  // a ring, by the block's number; a power of two
  Blocks spare_;               // has room for all: who takes an outcome away allocates nothing
  std::size_t made_ = 0;       // blocks
  std::size_t here_ = 0;       // in blocks
  std::size_t count_ = 0;      // that wait, here or elsewhere
  std::uint64_t front_ = 0;
  std::size_t bytes_ = 0;
  std::int64_t typical_ = 0;  // bytes of one
};

}  // namespace bulkhead::detail
