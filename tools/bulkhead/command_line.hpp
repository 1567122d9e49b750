// The options of `bulkhead run`, `bulkhead call` and `bulkhead coprocess`, and of programs made with batch_main().
#pragma once

#include "settings.hpp"

#include <optional>
#include <string>
#include <vector>

namespace bulkhead::tool {

enum class Subcommand { run, call, coprocess, batch };  // batch: batch_main(), a function of the program's own

/// Settings from the words behind the subcommand's name. nullopt: help was asked for and has been put into `help`.
/// Throws UsageError naming the option and the remedy.
std::optional<Settings> parse_command_line(Subcommand which, const std::vector<std::string>& words, std::string& help);

}  // namespace bulkhead::tool
