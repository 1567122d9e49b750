// Outcomes that ended before their turn, until it comes.
#pragma once

#include <bulkhead/detail/caller_memory.hpp>
#include <bulkhead/outcome.hpp>

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
  bool is_next(std::uint64_t index) const noexcept { return index == front_; }
  bool front_is_there() const noexcept { return !slots_.empty() && slot(front_).there; }

  /// The next one was delivered without a stay here.
  void pass_front() noexcept { ++front_; }

  void put(std::uint64_t index, Outcome<R> outcome, std::size_t bytes) {
    if (index - front_ >= slots_.size()) grow(index - front_ + 1);
    Slot& place = slot(index);
    place.outcome = std::move(outcome);
    place.bytes = static_cast<std::uint32_t>(bytes);
    place.there = true;
    bytes_ += bytes;
  }

  /// Moves the next one out, if it is here.
  bool take_front(Outcome<R>& into) {
    if (!front_is_there()) return false;
    Slot& place = slot(front_);
    into = std::move(place.outcome);
    place.there = false;
    bytes_ -= place.bytes;
    ++front_;
    return true;
  }

 private:
  struct Slot {
    Outcome<R> outcome;
    std::uint32_t bytes = 0;
    bool there = false;
  };
  Slot& slot(std::uint64_t index) noexcept { return slots_[index & (slots_.size() - 1)]; }
  const Slot& slot(std::uint64_t index) const noexcept { return slots_[index & (slots_.size() - 1)]; }

  void grow(std::uint64_t needed) {
    std::size_t size = slots_.empty() ? 64 : slots_.size();
    while (size < needed) size *= 2;
    std::vector<Slot> larger;
    larger.reserve(size);
    CallerMemory kept(larger.data(), size * sizeof(Slot));
    larger.resize(size);
    for (std::uint64_t i = front_; i < front_ + slots_.size(); ++i) larger[i & (size - 1)] = std::move(slot(i));
    kept_ = std::move(kept);
    slots_ = std::move(larger);
  }

  std::vector<Slot> slots_;  // a power of two
  CallerMemory kept_;        // of their memory
  std::uint64_t front_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace bulkhead::detail
