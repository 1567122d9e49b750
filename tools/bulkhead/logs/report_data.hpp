// What the script of a report's page reads: a run as JSON, packed.
#pragma once

#include "logs/report_run.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace bulkhead::tool {

/// Numbers that differ little from one to the next, as text: of each the difference to the one before, sign in the
/// lowest bit, five bits a character, the lowest first, the sixth telling that more follow; digits are those of base64.
/// Behind a difference of 0 stands in the same way (without a sign) how many more of them follow.
std::string packed(const std::vector<std::int64_t>& numbers);

/// No '<' is in it: inside <script> only "</" and "<!--" mean anything to HTML, and in JSON a '<' stands in texts
/// alone, where it may be written \u003c.
std::string page_data(const ReportRun& run);

}  // namespace bulkhead::tool
