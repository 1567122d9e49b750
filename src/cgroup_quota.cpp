#include "cgroup_quota.hpp"

#include "os/small_file.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

namespace bulkhead::detail {
namespace {

std::optional<std::size_t> in_cores(double quota, double period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  const double cores = quota / period;
  const auto whole = static_cast<std::size_t>(cores);
  return static_cast<double>(whole) < cores ? whole + 1 : whole;
}

// v2: both numbers in one file, "max 100000" where there is no quota.
std::optional<std::size_t> unified_quota(const std::string& group) {
  const std::string both = os::read_small_file(group + "/cpu.max");
  char* period = nullptr;
  const double quota = std::strtod(both.c_str(), &period);
  return in_cores(quota, std::strtod(period, nullptr));
}

// v1: two files, -1 where there is none.
std::optional<std::size_t> separate_quota(const std::string& group) {
  const std::string quota = os::read_small_file(group + "/cpu.cfs_quota_us");
  if (quota.empty() || quota.starts_with('-')) return std::nullopt;
  const std::string period = os::read_small_file(group + "/cpu.cfs_period_us");
  return in_cores(std::strtod(quota.c_str(), nullptr), std::strtod(period.c_str(), nullptr));
}

void tighten(std::optional<std::size_t>& tightest, std::optional<std::size_t> quota) {
  if (quota && (!tightest || *quota < *tightest)) tightest = quota;
}

// Inside a container the named path may not exist below the mount: its parents up to the mount still count.
template <class QuotaOf>
void tighten_upwards(std::optional<std::size_t>& tightest, const std::string& mount, std::string_view group,
                     QuotaOf&& quota_of) {
  for (; !group.empty() && group != "/"; group = group.substr(0, group.rfind('/')))
    tighten(tightest, quota_of(mount + std::string(group)));
  tighten(tightest, quota_of(mount));
}

bool names_cpu(const std::string& controllers) { return ("," + controllers + ",").find(",cpu,") != std::string::npos; }

}  // namespace

std::optional<std::size_t> quota_cores(const std::string& membership, const std::string& root) {
  std::optional<std::size_t> tightest;
  const std::string all = os::read_small_file(membership);
  for (std::string_view rest = all; !rest.empty();) {
    const std::string line(rest.substr(0, rest.find('\n')));  // "0::/group" (v2), "4:cpu,cpuacct:/group" (v1)
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (!group.starts_with('/')) continue;  // the way up would not end
    if (controllers.empty()) {
      tighten_upwards(tightest, root, group, unified_quota);
      tighten_upwards(tightest, root + "/unified", group, unified_quota);
    } else if (names_cpu(controllers)) {
      tighten_upwards(tightest, root + "/cpu", group, separate_quota);
      if (controllers != "cpu") tighten_upwards(tightest, root + "/" + controllers, group, separate_quota);
    }
  }
  return tightest;
}

}  // namespace bulkhead::detail
