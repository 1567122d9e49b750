// Where the options end and the command begins.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace bulkhead::tool {

struct PartedWords {
  std::vector<std::string> options;  ///< in the form --name=value, as the parser takes them without doubt
  std::vector<std::string> rest;     ///< from the first word that is no option, or that follows --
};

/// Or `--`, which ends them.
bool may_be_option(const std::string& word);

/// Options end at the first word that is not one; `--` and the source marks (:::) end them too. Throws UsageError for
/// an option that `app` does not have, with the name it may have meant.
PartedWords part_options(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace bulkhead::tool
