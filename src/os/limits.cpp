#include "os/limits.hpp"

#include "os/at_birth.hpp"
#include "os/fd.hpp"
#include "os/small_file.hpp"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>

namespace bulkhead::os {

namespace {

void lower(decltype(RLIMIT_DATA) which, std::uint64_t to, const char* name) {
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) throw_errno(name);
  limit.rlim_cur = limit.rlim_max = std::min<rlim_t>(to, limit.rlim_max);
  if (::setrlimit(which, &limit) != 0) throw_errno(name);
}

}  // namespace

BULKHEAD_AT_BIRTH void limit_this_process(const ProcessLimits& limits) {
  if (limits.memory != 0) {
    const auto inherited = number_after(read_small_file("/proc/self/status"), "VmData:");  // KiB
    lower(RLIMIT_DATA, inherited.value_or(0) * 1024 + limits.memory, "setrlimit(RLIMIT_DATA)");
  }
  if (limits.file_size != 0) lower(RLIMIT_FSIZE, limits.file_size, "setrlimit(RLIMIT_FSIZE)");
  if (limits.open_files != 0) lower(RLIMIT_NOFILE, limits.open_files, "setrlimit(RLIMIT_NOFILE)");
}

std::optional<std::chrono::nanoseconds> processor_time(long pid) noexcept {
  clockid_t clock{};
  timespec used{};
  if (pid <= 0 || ::clock_getcpuclockid(static_cast<pid_t>(pid), &clock) != 0 || ::clock_gettime(clock, &used) != 0)
    return std::nullopt;
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace bulkhead::os
