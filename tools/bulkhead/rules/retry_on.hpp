// --retry-on: which ends of a task are worth another attempt.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

enum class TaskEnd;

struct RetryOn {
  bool fail = true, crash = true, timeout = true, oom = true;
  std::vector<int> exit_codes{};  ///< of tasks that fail, in addition

  bool covers(TaskEnd end, int exit_code) const noexcept;
};

/// "crash,timeout,exit=75"; nullopt: not such a list.
std::optional<RetryOn> parse_retry_on(std::string_view text);

}  // namespace bulkhead::tool
