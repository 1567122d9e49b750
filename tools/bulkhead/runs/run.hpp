// `bulkhead run`: a program per record.
#pragma once

#include "rules/settings.hpp"

namespace bulkhead::tool {

/// Returns the exit status. Throws UsageError, std::system_error for what cannot even begin.
int run(const Settings& settings);

}  // namespace bulkhead::tool
