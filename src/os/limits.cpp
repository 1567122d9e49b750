#include "os/limits.hpp"

#include "os/fd.hpp"
#include "os/small_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

namespace bulkhead::os {

namespace {

// The number behind `label` at the beginning of a line.
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view label) {
  for (std::size_t at = 0; at < text.size();) {
    std::string_view line = text.substr(at, text.find('\n', at) - at);
    at += line.size() + 1;
    if (!line.starts_with(label)) continue;
    line.remove_prefix(std::min(line.size(), line.find_first_of("0123456789", label.size())));
    std::uint64_t number = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), number).ec == std::errc()) return number;
  }
  return std::nullopt;
}

void lower(decltype(RLIMIT_DATA) which, std::uint64_t to, const char* name) {
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) throw_errno(name);
  limit.rlim_cur = limit.rlim_max = std::min<rlim_t>(to, limit.rlim_max);
  if (::setrlimit(which, &limit) != 0) throw_errno(name);
}

// The path of this process' group in the hierarchy of `controller`; empty: the unified one. Nothing: in none.
std::optional<std::string> group_path(std::string_view controller) {
  const std::string groups = read_small_file("/proc/self/cgroup");
  for (std::size_t at = 0; at < groups.size();) {
    const std::string_view line = std::string_view(groups).substr(at, groups.find('\n', at) - at);
    at += line.size() + 1;
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    if (line.substr(first + 1, second - first - 1) == controller) return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

}  // namespace

void limit_this_process(const ProcessLimits& limits) {
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

std::optional<std::uint64_t> out_of_memory_kills() {
  if (const auto unified = group_path("")) {
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
      if (const auto kills = number_after(read_small_file(root + *unified + "/memory.events"), "oom_kill "))
        return kills;
  }
  if (const auto separate = group_path("memory"))
    return number_after(read_small_file("/sys/fs/cgroup/memory" + *separate + "/memory.oom_control"), "oom_kill ");
  return std::nullopt;
}

void prefer_for_out_of_memory() noexcept {
  const Fd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (file) static_cast<void>(!::write(file.get(), "500", 3));
}

}  // namespace bulkhead::os
