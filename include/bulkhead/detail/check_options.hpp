// The door: what no executor can honour is refused here, by the name of the field.
#pragma once

#include <bulkhead/options.hpp>

namespace bulkhead::detail {

/// Throws std::invalid_argument naming the field that cannot be meant: a negative duration, no per_sync_timeout, a
/// size limit of 0 or above 2 GiB, a retry cap below the retry delay.
void check_common_options(const WorkOptions& options);

/// What check_common_options() refuses, and what worker threads cannot honour: limits that only a process can be held
/// to. Throws std::invalid_argument naming the field and the way out.
void check_thread_options(const WorkOptions& options);

}  // namespace bulkhead::detail
