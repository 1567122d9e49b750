#include "rules/term_sequence.hpp"

#include "words/quantity.hpp"

#include <bulkhead/signals.hpp>

#include <algorithm>
#include <csignal>
#include <string>

namespace bulkhead::tool {

namespace {

constexpr int highest_signal = 64;

std::optional<int> signal_named(std::string_view name) {
  const std::string full = (name.starts_with("SIG") ? "" : "SIG") + std::string(name);
  for (int signal = 1; signal <= highest_signal; ++signal)
    if (signal_name(signal) == full) return signal;
  return std::nullopt;
}

std::optional<int> signal_of(std::string_view text) {
  const std::optional<std::uint64_t> number = parse_count(text);
  if (!number) return signal_named(text);
  return *number >= 1 && *number <= highest_signal ? std::optional<int>(static_cast<int>(*number)) : std::nullopt;
}

}  // namespace

std::optional<std::vector<EndStep>> parse_term_sequence(std::string_view text) {
  std::vector<EndStep> steps;
  bool wait_may_follow = false;  // so that a bare number is a signal in the place of one, and seconds behind it
  for (;;) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view word = text.substr(0, comma);
    const std::optional<std::chrono::milliseconds> wait = wait_may_follow ? parse_duration(word) : std::nullopt;
    if (wait) {
      steps.back().wait = *wait;
    } else {
      const std::optional<int> signal = signal_of(word);
      if (!signal) return std::nullopt;
      steps.push_back({.signal = *signal});
    }
    wait_may_follow = !wait;
    if (comma == text.size()) break;
    text.remove_prefix(comma + 1);
  }
  if (steps.back().signal != SIGKILL) steps.push_back({.signal = SIGKILL});
  return steps;
}

std::chrono::milliseconds whole_wait(const std::vector<EndStep>& steps) {
  std::chrono::milliseconds sum{0};
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) sum += steps[i].wait;
  return sum;
}

}  // namespace bulkhead::tool
