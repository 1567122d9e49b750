// The words of the help that are not about a single option: what a subcommand does, examples, where records come from.
#pragma once

#include "command_line/option_table.hpp"

#include <string>

namespace bulkhead::tool {

const char* usage_of(Subcommand which);
/// One screen of 80 columns and 24 lines, with the prompt behind it: the examples, and the options that most runs get
/// by with.
std::string short_help(const CLI::App& app);

}  // namespace bulkhead::tool
