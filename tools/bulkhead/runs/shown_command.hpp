// The command of one record, as the log, -v and the summary have it.
#pragma once

#include "records/task_source.hpp"

#include <string>

namespace bulkhead::tool {

/// What a shell must be told to have this one record again: `program`, in a shell's words, with a source of one value
/// for each column.
std::string command_of(const std::string& program, const Task& task);

}  // namespace bulkhead::tool
