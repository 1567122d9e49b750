// Outcomes that ended before their turn, until it comes.
#pragma once

#include <bulkhead/detail/caller_memory.hpp>
#include <bulkhead/outcome.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// A ring indexed by the task's number. Grows to what has to wait, by doubling, and stays so.
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
  bool front_is_there() const noexcept { return !sizes_.empty() && sizes_[front_ & mask_] != absent; }

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
    if (index - front_ >= sizes_.size()) grow(index - front_ + 1);
    outcomes_[index & mask_] = std::move(outcome);
    sizes_[index & mask_] = std::uint64_t{bytes} + 1;
    note(1, bytes);
  }
  /// Moves the next one out, if it is here.
  bool take_front(Outcome<R>& into) {
    if (!front_is_there()) return false;
    const std::size_t place = front_ & mask_;
    into = std::move(outcomes_[place]);
    if constexpr (!std::is_trivially_destructible_v<R>) outcomes_[place] = {};  // moving may have been copying
    bytes_ -= std::exchange(sizes_[place], absent) - 1;
    --count_;
    ++front_;
    return true;
  }

 private:
  static constexpr std::uint64_t absent = 0;

  void note(std::size_t count, std::uint32_t bytes) noexcept {
    bytes_ += count * bytes;
    typical_ += (std::int64_t{bytes} - typical_) / 8;
    count_ += count;
  }

  void grow(std::uint64_t needed) {
    std::size_t size = std::max<std::size_t>(64, sizes_.size());
    while (size < needed) size *= 2;
    std::vector<Outcome<R>> outcomes;
    outcomes.reserve(size);
    CallerMemory kept(outcomes.data(), size * sizeof(Outcome<R>));
    outcomes.resize(size);
    std::vector<std::uint64_t> sizes(size, absent);
    for (std::uint64_t i = front_; i < front_ + sizes_.size(); ++i) {
      outcomes[i & (size - 1)] = std::move(outcomes_[i & mask_]);
      sizes[i & (size - 1)] = sizes_[i & mask_];
    }
    kept_ = std::move(kept);
    outcomes_ = std::move(outcomes);
    sizes_ = std::move(sizes);
    mask_ = size - 1;
  }

  std::vector<Outcome<R>> outcomes_;  // a power of two
  CallerMemory kept_;                 // of their memory
  std::vector<std::uint64_t> sizes_;  // one more than the bytes of each; or it is absent
  std::size_t mask_ = 0;
  std::size_t count_ = 0;  // that wait here
  std::uint64_t front_ = 0;
  std::size_t bytes_ = 0;
  std::int64_t typical_ = 0;  // bytes of one
};

}  // namespace bulkhead::detail
