#include "cgroup_quota.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

namespace bulkhead::detail {
namespace {

using std::filesystem::path;

std::optional<std::size_t> in_cores(double quota, double period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<std::size_t>(std::max(1.0, std::ceil(quota / period)));
}

// v2 keeps both numbers in one file, "max 100000" where there is no quota; v1 has two files, -1 for none.
std::optional<std::size_t> quota_of_group(const path& group) {
  double quota = 0, period = 0;
  if (std::ifstream(group / "cpu.max") >> quota >> period) return in_cores(quota, period);
  if (std::ifstream(group / "cpu.cfs_quota_us") >> quota && std::ifstream(group / "cpu.cfs_period_us") >> period)
    return in_cores(quota, period);
  return std::nullopt;
}

void tighten(std::optional<std::size_t>& tightest, std::optional<std::size_t> quota) {
  if (quota && (!tightest || *quota < *tightest)) tightest = quota;
}

// Inside a container the named path may not exist below the mount: its parents up to the mount still count.
void tighten_upwards(std::optional<std::size_t>& tightest, const path& mount, const std::string& group) {
  for (path relative = path(group).relative_path(); !relative.empty(); relative = relative.parent_path())
    tighten(tightest, quota_of_group(mount / relative));
  tighten(tightest, quota_of_group(mount));
}

bool names_cpu(const std::string& controllers) { return ("," + controllers + ",").find(",cpu,") != std::string::npos; }

}  // namespace

std::optional<std::size_t> quota_cores(const path& membership, const path& root) {
  std::optional<std::size_t> tightest;
  std::ifstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // "0::/group" (v2), "4:cpu,cpuacct:/group" (v1)
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty()) {
      tighten_upwards(tightest, root, group);
      tighten_upwards(tightest, root / "unified", group);
    } else if (names_cpu(controllers)) {
      tighten_upwards(tightest, root / controllers, group);
      tighten_upwards(tightest, root / "cpu", group);
    }
  }
  return tightest;
}

}  // namespace bulkhead::detail
