// The seccomp filter for programs: unlike workers they start processes, since those stay in a pid namespace of theirs.
#pragma once

#include <linux/filter.h>

#include <vector>

namespace bulkhead::os {

/// Refuses tracing, sockets but AF_UNIX (EAFNOSUPPORT), namespaces, mounts, and what concerns the machine; with EPERM
/// where nothing else is said. To be installed just before execve().
std::vector<sock_filter> program_filter();

}  // namespace bulkhead::os
