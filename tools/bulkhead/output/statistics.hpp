// --stats: where the time of a run went, in words.
#pragma once

#include <bulkhead/work_statistics.hpp>

#include <string>

namespace bulkhead::tool {

/// A block of lines that stand below each other, for standard error.
std::string describe_statistics(const WorkStatistics& statistics);

}  // namespace bulkhead::tool
