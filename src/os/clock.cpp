#include "os/clock.hpp"

#include "os/suspension.hpp"

#include <sys/resource.h>
#include <time.h>

namespace bulkhead::os {

std::chrono::nanoseconds now() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec) - time_suspended();
}

std::uint64_t peak_rss_kib() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

}  // namespace bulkhead::os
