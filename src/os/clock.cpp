#include "os/clock.hpp"

#include "os/suspension.hpp"

#include <sys/resource.h>
#include <time.h>

namespace bulkhead::os {

namespace {

std::chrono::nanoseconds read(clockid_t clock) noexcept {
  timespec t{};
  ::clock_gettime(clock, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

}  // namespace

std::chrono::nanoseconds now() noexcept { return read(CLOCK_MONOTONIC) - time_suspended(); }
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
