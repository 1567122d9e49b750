#include "catch.hpp"

#include <bulkhead/detail/retry_policy.hpp>

#include <limits>

using bulkhead::Ending;
using bulkhead::RetryPolicy;
using bulkhead::detail::judge;
using namespace std::chrono_literals;

TEST_CASE("without retries every ending is the last", "[retry_policy]") {
  for (int e = 0; e <= static_cast<int>(Ending::not_serializable); ++e)
    CHECK_FALSE(judge(RetryPolicy{}, static_cast<Ending>(e), 1).again);
}

TEST_CASE("extra attempts are counted, not attempts", "[retry_policy]") {
  const RetryPolicy policy{.max_retries = 2};
  CHECK(judge(policy, Ending::crashed, 1).again);
  CHECK(judge(policy, Ending::crashed, 2).again);
  CHECK_FALSE(judge(policy, Ending::crashed, 3).again);
  CHECK_FALSE(judge(policy, Ending::crashed, 0).again);
}

TEST_CASE("only the endings named are tried again, a value never", "[retry_policy]") {
  const RetryPolicy usual{.max_retries = 9};
  for (Ending e : {Ending::exception, Ending::exited, Ending::crashed, Ending::timed_out, Ending::out_of_memory,
                   Ending::limit_exceeded})
    CHECK(judge(usual, e, 1).again);
  for (Ending e : {Ending::value, Ending::too_large, Ending::cancelled, Ending::abandoned, Ending::protocol_error,
                   Ending::not_serializable})
    CHECK_FALSE(judge(usual, e, 1).again);
  const RetryPolicy named{.max_retries = 9, .on = {Ending::value, Ending::timed_out}};
  CHECK(judge(named, Ending::timed_out, 1).again);
  CHECK_FALSE(judge(named, Ending::crashed, 1).again);
  CHECK_FALSE(judge(named, Ending::value, 1).again);
}

TEST_CASE("the delay doubles up to its cap", "[retry_policy]") {
  const RetryPolicy policy{.max_retries = 1000, .delay = 100ms, .max_delay = 350ms};
  CHECK(judge(policy, Ending::crashed, 1).delay == 100ms);
  CHECK(judge(policy, Ending::crashed, 2).delay == 200ms);
  CHECK(judge(policy, Ending::crashed, 3).delay == 350ms);
  CHECK(judge(policy, Ending::crashed, 1000).delay == 350ms);
}

TEST_CASE("without a cap the delay stops at one minute, or at itself if longer", "[retry_policy]") {
  const unsigned most = std::numeric_limits<unsigned>::max();
  CHECK(judge({.max_retries = most, .delay = 1s}, Ending::crashed, most).delay == 1min);
  CHECK(judge({.max_retries = 9, .delay = 5min}, Ending::crashed, 4).delay == 5min);
  CHECK(judge({.max_retries = most}, Ending::crashed, most).delay == 0s);
}

TEST_CASE("jitter only lengthens, by a tenth at most", "[retry_policy]") {
  const RetryPolicy policy{.max_retries = 1, .delay = 1000ms};
  CHECK(judge(policy, Ending::crashed, 1, 0.0).delay == 1000ms);
  CHECK(judge(policy, Ending::crashed, 1, 0.5).delay == 1050ms);
  CHECK(judge(policy, Ending::crashed, 1, 1.0).delay == 1100ms);
  CHECK(judge(policy, Ending::crashed, 1, -3.0).delay == 1000ms);
  CHECK(judge(policy, Ending::crashed, 1, 99.0).delay == 1100ms);
}
