// `bulkhead completions bash|zsh|fish`: made from the table that the help is made from.
#pragma once

#include <string>
#include <vector>

namespace bulkhead::tool {

/// `words`: the shell's name. Throws UsageError for a shell that is not known.
std::string completion_script(const std::vector<std::string>& words);

}  // namespace bulkhead::tool
