// The CPU quota that control groups put on this process, read from their files.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace bulkhead::detail {

/// The tightest quota in cores, rounded up, among the groups that `membership` (the format of /proc/self/cgroup, v1
/// or v2) names and their parents below `root` (where they are mounted, /sys/fs/cgroup). nullopt: no quota, or none
/// that can be read. Never throws but for memory.
std::optional<std::size_t> quota_cores(const std::string& membership, const std::string& root);

}  // namespace bulkhead::detail
