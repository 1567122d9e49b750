#include "os/clock.hpp"

#include "os/at_birth.hpp"
#include "os/suspension.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace bulkhead::os {

namespace {

std::chrono::nanoseconds as_duration(const timespec& t) noexcept {
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

std::chrono::nanoseconds read(clockid_t clock) noexcept {
  timespec t{};
  ::clock_gettime(clock, &t);
  return as_duration(t);
}

}  // namespace

std::chrono::nanoseconds now() noexcept { return read(CLOCK_MONOTONIC) - time_suspended(); }

BULKHEAD_AT_BIRTH std::chrono::nanoseconds now_by_system_call() noexcept {
#if defined(__LP64__)  // elsewhere the call may mean a narrower time
  timespec t{};
  if (::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t) == 0) return as_duration(t) - time_suspended();
#endif
  return now();
}

std::chrono::nanoseconds thread_cpu_time() noexcept { return read(CLOCK_THREAD_CPUTIME_ID); }

std::chrono::nanoseconds thread_cpu_time(pthread_t thread) noexcept {
  clockid_t clock{};
  return ::pthread_getcpuclockid(thread, &clock) == 0 ? read(clock) : std::chrono::nanoseconds(0);
}

std::uint64_t peak_rss_kib() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

}  // namespace bulkhead::os
