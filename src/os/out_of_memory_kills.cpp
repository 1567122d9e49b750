#include "os/out_of_memory_kills.hpp"

#include "os/small_file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bulkhead::os {

namespace {

// The path of this process' group in the hierarchy of `controller`; empty: the unified one. Nothing: in none. `groups`
// is what /proc/self/cgroup holds.
std::optional<std::string> group_path(std::string_view groups, std::string_view controller) {
  for (std::size_t at = 0; at < groups.size();) {
    const std::string_view line = groups.substr(at, groups.find('\n', at) - at);
    at += line.size() + 1;
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    if (line.substr(first + 1, second - first - 1) == controller) return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

Fd open_for_reading(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file ? kept_from_children(std::move(file)) : Fd();
}

std::optional<std::uint64_t> kills_in(const Fd& file) { return number_after(read_small_file(file), "oom_kill "); }

Fd find_counter() {
  const std::string groups = read_small_file("/proc/self/cgroup");
  if (const auto unified = group_path(groups, "")) {
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
      if (Fd file = open_for_reading(root + *unified + "/memory.events"); kills_in(file)) return file;
  }
  if (const auto separate = group_path(groups, "memory"))
    return open_for_reading("/sys/fs/cgroup/memory" + *separate + "/memory.oom_control");
  return {};
}

}  // namespace

void OutOfMemoryKills::begin() noexcept try {
  if (looked_) return;
  Fd counter = find_counter();
  claimed_ = counted_ = kills_in(counter).value_or(0);
  file_ = std::move(counter);
  looked_ = true;
} catch (...) {  // no memory to look for it: next time
}

bool OutOfMemoryKills::claim() {
  if (kills_in(file_).value_or(0) <= claimed_) return false;
  ++claimed_;
  return true;
}

void OutOfMemoryKills::forget_old() {
  claimed_ = std::max(claimed_, counted_);
  counted_ = kills_in(file_).value_or(counted_);
}

}  // namespace bulkhead::os
