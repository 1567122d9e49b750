// What programs are started with. --isolate, for them and for workers, is tried before the first task, so that a
// refusal is told at once.
#pragma once

#include "rules/settings.hpp"

#include <string>
#include <vector>

namespace bulkhead::tool {

/// What every program of a run is started with, but for its own words and its isolation.
Command program_command(const Settings& settings);

/// Of programs: sets what `command` may do. strict: it may write below its working directory, and below $TMPDIR, or
/// /tmp where that is not set. Returns what cannot be guarded here, a sentence each. Throws UsageError with the remedy
/// where it cannot be had.
std::vector<std::string> isolate(const Settings& settings, Command& command);

/// Of workers, that call functions: throws UsageError with the remedy where it cannot be had.
void try_isolation_of_workers(const Settings& settings);

}  // namespace bulkhead::tool
