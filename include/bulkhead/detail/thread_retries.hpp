// Attempts of a threaded run that wait for their time.
#pragma once

#include <bulkhead/detail/retry_policy.hpp>
#include <bulkhead/options.hpp>
#include <bulkhead/outcome.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <random>
#include <utility>

namespace bulkhead::detail {

/// The driver's alone.
template <class Item>
class ThreadRetries {
 public:
  using Clock = std::chrono::steady_clock;

  struct Attempt {
    std::size_t index;
    unsigned number;
    Item item;
  };

  explicit ThreadRetries(const RetryPolicy& policy) : policy_(policy) {}

  /// Whether any task may be tried again.
  bool allowed() const noexcept { return policy_.max_retries > 0; }
  /// Whether one that ended like this, in this attempt, is.
  Verdict judge(Ending ending, unsigned attempt) { return detail::judge(policy_, ending, attempt, jitter_(random_)); }

  void put(Clock::time_point when, Attempt attempt) { later_.emplace(when, std::move(attempt)); }
  std::size_t size() const noexcept { return later_.size(); }
  /// When the first one's time comes, if that is before `other`.
  Clock::time_point first_before(Clock::time_point other) const {
    return later_.empty() ? other : std::min(later_.begin()->first, other);
  }
  /// One whose time has come.
  std::optional<Attempt> take(Clock::time_point now) {
    if (later_.empty() || later_.begin()->first > now) return std::nullopt;
    return std::move(later_.extract(later_.begin()).mapped());
  }
  /// One, whether or not its time has come.
  std::optional<Attempt> take() { return take(Clock::time_point::max()); }

 private:
  const RetryPolicy policy_;
  std::multimap<Clock::time_point, Attempt> later_;
  std::minstd_rand random_{std::random_device{}()};
  std::uniform_real_distribution<double> jitter_{0.0, 1.0};
};

}  // namespace bulkhead::detail
