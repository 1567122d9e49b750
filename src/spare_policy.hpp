// Whether a worker stands by for the next that ends. Pure: the clock is passed in.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace bulkhead {

/// Where workers live long, one that was forked ahead spares the next death its wait. Where each dies of its first
/// task, that fork goes on beside the end of the worker before: on one machine a third of the time of a crash was
/// gained, on another, whose hypervisor lets one core at a time at page tables, a quarter was lost. So while deaths
/// press both ways are tried, and the faster one is kept.
class SparePolicy {
 public:
  explicit SparePolicy(std::size_t num_workers) noexcept : num_workers_(num_workers) {}

  /// A worker ended at `now`. The oldest of all, this one included, had been at work for `oldest` then.
  void note_death(std::chrono::nanoseconds oldest, std::chrono::nanoseconds now) noexcept;
  /// Nothing is tried any more: a spare it is from here on.
  void stop_trying() noexcept { may_try_ = false; }

  /// False: all workers die young, and to fork the next only when the one before has ended is kept, or tried.
  bool wants_spare(std::chrono::nanoseconds now) const noexcept {
    return now >= pressed_until_ || !may_try_ || way_ == Way::ahead;
  }
  /// Where none is wanted: when it will be, if nobody else dies.
  std::chrono::nanoseconds pressed_until() const noexcept { return pressed_until_; }

 private:
  enum class Way { in_turn, ahead };
  static Way other(Way way) noexcept { return way == Way::ahead ? Way::in_turn : Way::ahead; }
  void judge(std::chrono::nanoseconds each) noexcept;

  std::size_t num_workers_;
  bool may_try_ = true;
  Way way_ = Way::in_turn;
  std::chrono::nanoseconds pressed_until_{};
  std::size_t deaths_ = 0;                   // in this way, without a pause
  std::chrono::nanoseconds counted_from_{};  // the first of them fall to the way before
  // From one death to the next, by way: the better of the last two trials, and the last.
  static constexpr std::chrono::nanoseconds untried = std::chrono::nanoseconds::max();
  std::array<std::chrono::nanoseconds, 2> each_{untried, untried};
  std::array<std::chrono::nanoseconds, 2> last_{untried, untried};
  unsigned judged_ = 0;
};

}  // namespace bulkhead
