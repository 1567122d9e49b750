// When to stop a run before its end: plain counts in, a verdict out.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bulkhead::tool {

/// --halt now|soon,fail|success|done=N|P%
struct HaltPolicy {
  enum class When { never, soon, now } when = When::never;
  enum class What { fail, success, done } what = What::fail;
  std::uint64_t count = 0;  ///< so many tasks; or
  double percent = 0;       ///< this share of all tasks, which then must be known

  bool needs_total() const noexcept { return when != When::never && percent > 0; }
};

/// nullopt: not such a policy.
std::optional<HaltPolicy> parse_halt(std::string_view text);

/// True once this many successes and failures among `total` tasks (0: not known) are what the policy waits for.
bool should_halt(const HaltPolicy& policy, std::uint64_t succeeded, std::uint64_t failed, std::uint64_t total);

}  // namespace bulkhead::tool
