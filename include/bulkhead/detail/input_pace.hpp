// When what was pulled from the input is to be handed over: in batches if it comes fast, at once if it does not. Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

namespace bulkhead::detail {

/// Handing over may wake a worker, and reading the clock costs more than a fast item: so neither is done per item. But
/// an input that takes its time must not keep to itself what workers could be doing.
class InputPace {
 public:
  using Nanoseconds = std::chrono::nanoseconds;

  /// That many more items may be pulled before the clock is to be read; at least one.
  std::size_t until_look() const noexcept { return look_every_ - std::min(since_look_, look_every_ - 1); }
  /// So many were pulled. True: read the clock, and call hand_over().
  bool look_is_due(std::size_t count) noexcept { return (since_look_ += count) >= look_every_; }

  /// The items since the last look came between `since` and `now`. True: hand over all there are, and call
  /// handed_over().
  bool hand_over(Nanoseconds since, Nanoseconds now) noexcept {
    const auto pulled = static_cast<std::int64_t>(std::exchange(since_look_, 0));
    const auto an_item =
        std::max(Nanoseconds(1), (now - std::max(since, handed_over_)) / std::max<std::int64_t>(1, pulled));
    const auto fit = static_cast<std::size_t>(between_looks / an_item);
    look_every_ = an_item > slow ? 1 : std::clamp<std::size_t>(fit, 1, std::min<std::size_t>(look_every_ * 2, 64));
    return an_item > slow || now - handed_over_ > longest_kept;
  }
  void handed_over(Nanoseconds now) noexcept { handed_over_ = now; }
  /// What comes next was not waited for since the last look.
  void begin_anew() noexcept { since_look_ = 0; }

 private:
  static constexpr std::chrono::microseconds slow{10}, between_looks{25}, longest_kept{50};

  std::size_t since_look_ = 0, look_every_ = 1;  // items
  Nanoseconds handed_over_{};
};

}  // namespace bulkhead::detail
