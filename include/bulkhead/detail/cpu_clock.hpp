// What a thread has used of the processor: a system call, so ask seldom.
#pragma once

#include <chrono>

namespace bulkhead::detail {

/// Processor time that the calling thread has used.
std::chrono::nanoseconds thread_cpu_time() noexcept;

}  // namespace bulkhead::detail
