// From the words behind a subcommand's name to settings.
#pragma once

#include "command_line/option_table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace bulkhead::tool {

/// `program`: the name of a program made with batch_main(); empty: bulkhead.
/// nullopt: help was asked for and has been put into `help`. Throws UsageError naming the option and the remedy.
std::optional<Settings> parse_command_line(Subcommand which, const std::vector<std::string>& words, std::string& help,
                                           const std::string& program = {});

}  // namespace bulkhead::tool
