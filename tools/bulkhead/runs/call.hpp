// `bulkhead call`: a compiled function per record, in long-lived workers.
#pragma once

#include <string>
#include <vector>

namespace bulkhead::tool {

/// `words`: what stands behind the subcommand's name. Returns the exit status. Throws UsageError, std::system_error for
/// what cannot even begin.
int call(const std::vector<std::string>& words);

}  // namespace bulkhead::tool
