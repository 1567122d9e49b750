// Whether an attempt that ended is the last one: plain values in, a verdict out, no clock inside.
#pragma once

#include <bulkhead/options.hpp>

#include <chrono>

namespace bulkhead::detail {

/// What becomes of a task whose attempt ended: it is done, or it is tried again no sooner than `delay` from now.
struct Verdict {
  bool again = false;
  std::chrono::nanoseconds delay{0};
};

/// Delays never grow beyond this where RetryPolicy::max_delay is 0.
inline constexpr std::chrono::minutes uncapped_retry_delay{1};

/// The verdict on attempt number `attempts_made` (from 1), which ended as `ending`.
///
/// The delay before extra attempt n is delay x 2^(n-1), at most max_delay. `jitter` in [0, 1) lengthens it by up to a
/// tenth, above the cap too: tasks that failed together shall not come back together.
///
/// Of these, `out_of_memory` ended that many (the last one included, if it did): they have a budget of their own where
/// RetryPolicy::max_oom_retries says so.
Verdict judge(const RetryPolicy& policy, Ending ending, unsigned attempts_made, double jitter = 0.0,
              unsigned out_of_memory = 0) noexcept;

}  // namespace bulkhead::detail
