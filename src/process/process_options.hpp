// The door of the process executor.
#pragma once

#include <bulkhead/options.hpp>

namespace bulkhead::process {

/// Throws std::invalid_argument naming the field that cannot be meant, or that worker processes do not honour yet.
void check_process_options(const WorkOptions& options);

}  // namespace bulkhead::process
