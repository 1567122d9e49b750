// Files of /proc and of control groups.
#pragma once

#include <string>

namespace bulkhead::os {

/// All that the file holds; empty where it cannot be read.
std::string read_small_file(const std::string& path);

}  // namespace bulkhead::os
