// The files that a run writes: each by one run, and none that the run reads.
#pragma once

#include "rules/settings.hpp"

#include <bulkhead/append_log.hpp>

#include <string>

namespace bulkhead::tool {

/// Opens or creates it. Of a run that was killed the last processes may hold it for a moment: that is waited for.
/// Throws UsageError naming option and file where somebody else writes it, std::system_error where it cannot be had.
AppendLog open_alone(const std::string& option, const std::string& path);

/// Throws UsageError where a file that is to be written is one that records are read from: it would be emptied first.
void refuse_to_write_what_is_read(const Settings& settings);

}  // namespace bulkhead::tool
