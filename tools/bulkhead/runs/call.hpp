// `bulkhead call`: a compiled function per record, in long-lived workers.
#pragma once

#include "rules/settings.hpp"

namespace bulkhead::tool {

/// Returns the exit status. Throws UsageError, std::system_error for what cannot even begin.
int call(const Settings& settings);

}  // namespace bulkhead::tool
