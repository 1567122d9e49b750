#include "rules/admission.hpp"

#include <bulkhead/work_clock.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace bulkhead::tool {

namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;  // "max" is no number
}

std::uint64_t machine_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  std::uint64_t kibibytes = 0;
  while (file >> name >> kibibytes) {
    if (name == "MemAvailable:") return kibibytes << 10;
    std::getline(file, unit);
  }
  return unlimited;
}

// What one group leaves. Memory that only caches files can be had back at once, so it counts as free.
std::uint64_t left_in(const std::string& group, const char* limit, const char* usage, const char* cache) {
  const auto most = number_in(group + limit), used = number_in(group + usage);
  if (!most || !used) return unlimited;
  std::uint64_t cached = 0, number = 0;
  std::ifstream statistics(group + "/memory.stat");
  for (std::string name; statistics >> name >> number;)
    if (name == cache) cached = number;
  const std::uint64_t held = *used - std::min(*used, cached);
  return *most - std::min(*most, held);
}

// A limit of any group on the way up holds for this process too.
std::uint64_t group_memory() {
  std::ifstream groups("/proc/self/cgroup");
  std::uint64_t least = unlimited;
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && ("," + controllers + ",").find(",memory,") == std::string::npos) continue;
    const std::string root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    for (std::string path = line.substr(second + 1);; path.resize(path.rfind('/'))) {
      if (path == "/") path.clear();
      least = std::min(least, unified ? left_in(root + path, "/memory.max", "/memory.current", "inactive_file")
                                      : left_in(root + path, "/memory.limit_in_bytes", "/memory.usage_in_bytes",
                                                "total_inactive_file"));
      if (path.empty()) break;
    }
  }
  return least;
}

}  // namespace

double load_average() {
  std::ifstream file("/proc/loadavg");
  double load = 0;
  return file >> load ? load : 0;
}

std::uint64_t available_memory() { return std::min(machine_memory(), group_memory()); }

std::function<bool()> admission(double most_load, std::uint64_t free_memory,
                                std::function<void(const std::string&)> say) {
  if (most_load == 0 && free_memory == 0) return {};
  using Clock = WorkClock;
  constexpr auto between_words = std::chrono::seconds(30);
  return [=, say = std::move(say), said = Clock::time_point()]() mutable {
    std::string why;
    if (most_load > 0)
      if (const double load = load_average(); load >= most_load)
        why = fmt::format("--load {}: waiting, the load is {:.2f}", most_load, load);
    if (free_memory > 0 && why.empty())
      if (const std::uint64_t available = available_memory(); available <= free_memory)
        why = fmt::format("--mem-free: waiting, {} MiB are available and more than {} MiB are wanted", available >> 20,
                          free_memory >> 20);
    if (why.empty()) return true;
    if (Clock::now() - said >= between_words) {
      said = Clock::now();
      say(why);
    }
    return false;
  };
}

}  // namespace bulkhead::tool
