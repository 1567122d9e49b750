// The options of `bulkhead run`, `bulkhead call` and `bulkhead coprocess`, and of programs made with batch_main().
#pragma once

#include "settings.hpp"

#include <optional>
#include <string>
#include <vector>

namespace bulkhead::tool {

enum class Subcommand { run, call, coprocess, batch };  // batch: batch_main(), a function of the program's own

/// An option as help, manual page and completions show it: all of them are made from this one table.
struct OptionEntry {
  std::string short_name{}, long_name{};  ///< "-j", "--jobs"; either may be empty
  std::string value;                      ///< "FILE"; empty: it takes none
  std::string words, group;
  bool value_optional = false;
};
std::vector<OptionEntry> option_table(Subcommand which);

/// Settings from the words behind the subcommand's name. nullopt: help was asked for and has been put into `help`.
/// Throws UsageError naming the option and the remedy.
std::optional<Settings> parse_command_line(Subcommand which, const std::vector<std::string>& words, std::string& help);

}  // namespace bulkhead::tool
