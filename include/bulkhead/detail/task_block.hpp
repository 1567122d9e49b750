// Where the tasks of a threaded run lie, and after them what came of them: blocks that are filled, worked off and used
// again.
#pragma once

#include <bulkhead/detail/kept_outcomes.hpp>
#include <bulkhead/outcome.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>

namespace bulkhead::detail {

/// An item, or none; where it need not be destroyed, without saying which.
template <class Item>
class PlainPlace {
 public:
  void emplace(Item&& item) { ::new (static_cast<void*>(bytes_)) Item(std::move(item)); }
  void reset() noexcept {}
  Item& operator*() noexcept { return *std::launder(reinterpret_cast<Item*>(bytes_)); }

 private:
  alignas(Item) std::byte bytes_[sizeof(Item)];
};
template <class Item>
using ItemPlace = std::conditional_t<std::is_trivially_destructible_v<Item>, PlainPlace<Item>, std::optional<Item>>;

/// What came of a task: a value, a failure, or nothing (yet, or for want of memory). An outcome is twice as large, and
/// what it has besides is the same for a whole run of tasks.
template <class R>
class Made {
 public:
  using Value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

  Made() noexcept : failure_(nullptr) {}
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;
  ~Made() { clear(); }

  /// In an empty one: the value that `make` returns, if it does not throw.
  template <class Make>
  void set(Make&& make) {
    ::new (static_cast<void*>(std::addressof(value_))) Value(std::forward<Make>(make)());
    state_ = State::value;
  }
  void fail(Failure failure) {
    failure_ = new Failure(std::move(failure));
    state_ = State::failure;
  }
  bool has_value() const noexcept { return state_ == State::value; }
  /// Of the value.
  const std::byte* bytes() const noexcept { return reinterpret_cast<const std::byte*>(std::addressof(value_)); }

  /// Moves it out, and leaves nothing. `stats`: what the attempt cost, as of one that ended with a value.
  Outcome<R> take(const PackedStats& stats) {
    if (state_ == State::value) [[likely]] {
      if constexpr (std::is_void_v<R>) {
        clear();
        return Outcome<R>(stats.unpack());
      } else {
        Outcome<R> outcome(std::move(value_), stats);
        clear();
        return outcome;
      }
    }
    if (state_ == State::none) return {};
    Outcome<R> outcome(std::move(*failure_), stats.unpack());
    clear();
    return outcome;
  }

  /// Leaves nothing.
  void clear() noexcept {
    if (state_ == State::value)
      std::destroy_at(std::addressof(value_));
    else if (state_ == State::failure)
      delete failure_;
    state_ = State::none;
  }

 private:
  enum class State : std::uint8_t { none, value, failure };

  union {
    Value value_;
    Failure* failure_;
  };
  State state_ = State::none;
};

/// What a block of tasks says to those who need not know their type: which they are. Consecutive ones that are tried
/// for the first time, or any that are tried again.
class TaskNumbers {
 public:
  std::size_t index(std::uint32_t place) const noexcept {
    return tried_before ? again_[place].index : first_index + place;
  }
  unsigned attempt(std::uint32_t place) const noexcept { return tried_before ? again_[place].attempt : 1; }

  struct Again {
    std::size_t index;
    unsigned attempt;
  };

  bool tried_before = false;
  std::size_t first_index = 0;  // where they are tried for the first time: of the task at place 0

 protected:
  explicit TaskNumbers(Again* again) noexcept : again_(again) {}
  ~TaskNumbers() = default;

  Again* const again_;  // where they were tried before: one a place
};

/// Each place is written by the driver, then by the one worker that claimed it, and is the driver's again after that
/// worker's report. What the workers read lies apart from what they write, so that a line of memory goes to and fro
/// once; and what is true of all stands there once, so that the lines are few.
template <class Item, class R>
class TaskBlock final : public TaskNumbers {
 public:
  // So many that one lock for them all is nothing, and no more than 64 KiB where they are large. A run of tiny tasks is
  // claimed within one block: with 64 in it, two threads and the driver met at the lock every microsecond, and two
  // million took 32 ns each (19 where they seldom met), with 512 they took 18.
  static constexpr std::uint32_t size = static_cast<std::uint32_t>(
      std::clamp<std::size_t>((64u << 10) / (sizeof(ItemPlace<Item>) + sizeof(Made<R>)), 1, 512));

  TaskBlock() noexcept : TaskNumbers(again) {}
  TaskBlock(const TaskBlock&) = delete;
  TaskBlock& operator=(const TaskBlock&) = delete;

  /// What came of some that were tried for the first time, which cost `stats` each.
  void take_outcomes(std::uint32_t from, std::uint32_t to, const PackedStats& stats, std::size_t place,
                     KeptOutcomes<R>& kept) {
    if constexpr (PlainNumber<R>) {
      const std::span<Made<R>> some(made.data() + from, to - from);
      if (std::all_of(some.begin(), some.end(), [](const Made<R>& one) { return one.has_value(); })) {
        kept.put(place, some.size(), SettledNumbers<R>(some.front().bytes(), sizeof(Made<R>), some.size(), stats));
        for (Made<R>& one : some) one.clear();
        return;
      }
    }
    for (std::uint32_t i = from; i < to; ++i) kept.put(place + (i - from), made[i].take(stats));
  }

  std::array<ItemPlace<Item>, size> items;  // afterwards only those that are to be tried again
  alignas(64) std::array<Made<R>, size> made;
  alignas(64) Again again[size];
  alignas(64) std::uint32_t filled = 0, settled = 0;  // the driver's own
};

/// Some places of one block, which were handed over together.
struct TaskSpan {
  TaskNumbers* block = nullptr;
  std::uint32_t first = 0, last = 0;
  std::chrono::steady_clock::time_point dealt{};

  std::uint32_t size() const noexcept { return last - first; }
};

}  // namespace bulkhead::detail
