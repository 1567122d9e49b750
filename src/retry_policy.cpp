#include <bulkhead/detail/retry_policy.hpp>

#include <algorithm>

namespace bulkhead::detail {

namespace {

bool budget_is_left(const RetryPolicy& policy, Ending ending, unsigned attempts_made, unsigned out_of_memory) {
  if (policy.max_oom_retries == RetryPolicy::as_max_retries) return attempts_made <= policy.max_retries;
  if (ending == Ending::out_of_memory) return out_of_memory <= policy.max_oom_retries;
  return attempts_made - std::min(out_of_memory, attempts_made) <= policy.max_retries;
}

}  // namespace

Verdict judge(const RetryPolicy& policy, Ending ending, unsigned attempts_made, double jitter,
              unsigned out_of_memory) noexcept {
  if (ending == Ending::value || !policy.on.contains(ending) || attempts_made == 0) return {};
  if (!budget_is_left(policy, ending, attempts_made, out_of_memory)) return {};
  const std::chrono::nanoseconds cap = policy.max_delay.count() > 0
                                           ? policy.max_delay
                                           : std::max<std::chrono::milliseconds>(uncapped_retry_delay, policy.delay);
  std::chrono::nanoseconds delay = std::min<std::chrono::nanoseconds>(policy.delay, cap);
  // Doubling stops at the cap, so neither many attempts nor a long delay can overflow.
  for (unsigned n = 1; n < attempts_made && delay.count() > 0 && delay < cap; ++n)
    delay = delay > cap / 2 ? cap : delay * 2;
  const double lengthened = std::clamp(jitter, 0.0, 1.0) * 0.1 * static_cast<double>(delay.count());
  return {true, delay + std::chrono::nanoseconds(static_cast<std::int64_t>(lengthened))};
}

}  // namespace bulkhead::detail
