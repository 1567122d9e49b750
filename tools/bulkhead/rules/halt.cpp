#include "rules/halt.hpp"

#include "words/quantity.hpp"

namespace bulkhead::tool {

std::optional<HaltPolicy> parse_halt(std::string_view text) {
  HaltPolicy policy;
  if (text == "never") return policy;
  const auto take = [&](std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
  };
  if (take("now,"))
    policy.when = HaltPolicy::When::now;
  else if (take("soon,"))
    policy.when = HaltPolicy::When::soon;
  else
    return std::nullopt;
  if (take("fail="))
    policy.what = HaltPolicy::What::fail;
  else if (take("success="))
    policy.what = HaltPolicy::What::success;
  else if (take("done="))
    policy.what = HaltPolicy::What::done;
  else
    return std::nullopt;
  const bool share = text.ends_with('%');
  if (share) text.remove_suffix(1);
  const std::optional<std::uint64_t> number = parse_count(text);
  if (!number || *number == 0 || (share && *number > 100)) return std::nullopt;
  if (share)
    policy.percent = static_cast<double>(*number);
  else
    policy.count = *number;
  return policy;
}

bool should_halt(const HaltPolicy& policy, std::uint64_t succeeded, std::uint64_t failed, std::uint64_t total) {
  if (policy.when == HaltPolicy::When::never) return false;
  std::uint64_t seen = succeeded + failed;
  if (policy.what == HaltPolicy::What::fail) seen = failed;
  if (policy.what == HaltPolicy::What::success) seen = succeeded;
  if (policy.percent > 0)
    return total > 0 && static_cast<double>(seen) * 100 >= policy.percent * static_cast<double>(total);
  return seen >= policy.count;
}

}  // namespace bulkhead::tool
