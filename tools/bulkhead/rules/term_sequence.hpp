// --term-seq: how a task is ended, as people write it. No I/O.
#pragma once

#include <bulkhead/command.hpp>

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

/// "TERM,10s,KILL": signals by name, with or without SIG, or by number, and behind each of them the wait before the
/// next one. A last KILL that is missing is appended. Nothing: not such a sequence.
std::optional<std::vector<EndStep>> parse_term_sequence(std::string_view text);

/// From the first signal to the last.
std::chrono::milliseconds whole_wait(const std::vector<EndStep>& steps);

}  // namespace bulkhead::tool
