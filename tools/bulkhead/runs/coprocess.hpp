// `bulkhead coprocess`: a record per line to long-lived programs, an answer per line back.
#pragma once

#include "rules/settings.hpp"

namespace bulkhead::tool {

/// Returns the exit status. Throws UsageError, std::system_error for what cannot even begin.
int coprocess(const Settings& settings);

}  // namespace bulkhead::tool
