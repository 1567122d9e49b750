// SIGTERM as a request to stop, instead of this process' end.
#pragma once

#include <stop_token>

namespace bulkhead::os {

/// From here on SIGTERM is blocked in this thread and in those it starts; it is heard by a thread of its own, where,
/// unlike in a signal handler, a stop may be requested. For a process that never undoes it. Throws std::system_error.
void stop_on_terminate();

/// Of the stop that SIGTERM requests, here and in copies of this process.
std::stop_token terminate_token() noexcept;

/// A descriptor that becomes readable with this token's stop, and stays so; -1 where none was made for it.
int descriptor_of(const std::stop_token& token) noexcept;

}  // namespace bulkhead::os
