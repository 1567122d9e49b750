// From options as they were written to settings: values are read, and what contradicts itself is refused.
#pragma once

#include "command_line/option_table.hpp"

#include <string>
#include <vector>

namespace bulkhead::tool {

/// `rest`: the words behind the options. Throws UsageError naming the option and the remedy.
void understand(WrittenOptions& words, Subcommand which, std::vector<std::string> rest, Settings& settings);

/// How many at once, when, how long, how often: the part of understand() that is about running.
void understand_running(const WrittenOptions& words, Subcommand which, Settings& settings);

}  // namespace bulkhead::tool
