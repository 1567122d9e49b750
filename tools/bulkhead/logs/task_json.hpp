// A task's end as JSON: a line of the events, and the result.json beside its output.
#pragma once

#include "rules/attempt.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace bulkhead::tool {

/// "ok", "failed", "crashed", "timed_out", "out_of_memory", "left_over".
std::string_view to_string(TaskEnd end) noexcept;

nlohmann::ordered_json describe_as_json(const Attempt& attempt, const std::string& command);

/// On one line, without its newline. Records are bytes: what is not UTF-8 becomes U+FFFD.
std::string one_line(const nlohmann::ordered_json& object);

}  // namespace bulkhead::tool
