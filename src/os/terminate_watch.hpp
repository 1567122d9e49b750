// SIGTERM, heard by a thread instead of ending the process.
#pragma once

#include <functional>

namespace bulkhead::os {

/// From here on SIGTERM is blocked in this thread and in those it starts; each one calls `told` in a thread of its own,
/// where, unlike in a signal handler, anything may be done. For a process that never undoes it.
void on_terminate(std::function<void()> told);

}  // namespace bulkhead::os
