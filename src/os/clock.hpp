// Time that only goes forward, and what a process has used. A clock read costs more than a tiny task: ration it.
#pragma once

#include <pthread.h>
#include <time.h>

#include <chrono>
#include <cstdint>

namespace bulkhead::os {

/// CLOCK_MONOTONIC without the time that the program was suspended (suspension.hpp).
std::chrono::nanoseconds now() noexcept;
/// The same. For a process that was just forked, and may never ask again: what now() reads is on pages that it has yet
/// to map, which takes longer than a system call.
std::chrono::nanoseconds now_by_system_call() noexcept;
/// Processor time that the calling thread has used.
std::chrono::nanoseconds thread_cpu_time() noexcept;
/// The same of another thread of this process, which must not have been joined. 0 where it has ended.
std::chrono::nanoseconds thread_cpu_time(pthread_t thread) noexcept;
/// The peak resident memory of this process so far, in KiB.
std::uint64_t peak_rss_kib() noexcept;

/// For calls that take a timespec.
inline timespec to_timespec(std::chrono::nanoseconds t) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(t);
  return {.tv_sec = seconds.count(), .tv_nsec = (t - seconds).count()};
}

}  // namespace bulkhead::os
