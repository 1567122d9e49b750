#include "rules/retry_on.hpp"

#include "rules/attempt.hpp"
#include "words/quantity.hpp"

#include <algorithm>

namespace bulkhead::tool {

bool RetryOn::covers(TaskEnd end, int exit_code) const noexcept {
  switch (end) {
    case TaskEnd::failed:
      return fail || std::find(exit_codes.begin(), exit_codes.end(), exit_code) != exit_codes.end();
    case TaskEnd::crashed:
      return crash;
    case TaskEnd::timed_out:
      return timeout;
    case TaskEnd::out_of_memory:
      return oom;
    case TaskEnd::ok:
    case TaskEnd::left_over:
      break;
  }
  return false;
}

std::optional<RetryOn> parse_retry_on(std::string_view text) {
  RetryOn on{.fail = false, .crash = false, .timeout = false, .oom = false};
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    std::string_view word = text.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    if (word == "fail") {
      on.fail = true;
    } else if (word == "crash") {
      on.crash = true;
    } else if (word == "timeout") {
      on.timeout = true;
    } else if (word == "oom") {
      on.oom = true;
    } else if (word.starts_with("exit=")) {
      const auto code = parse_count(word.substr(5));
      if (!code || *code == 0 || *code > 255) return std::nullopt;
      on.exit_codes.push_back(static_cast<int>(*code));
    } else {
      return std::nullopt;
    }
  }
  return on;
}

}  // namespace bulkhead::tool
