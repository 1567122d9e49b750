// `bulkhead replay`: one task of an earlier run again, alone, in the foreground.
#pragma once

#include <string>
#include <vector>

namespace bulkhead::tool {

/// `words`: what stands behind the subcommand's name. Becomes the task's program and returns only where that cannot
/// be had. Throws UsageError.
int replay(const std::vector<std::string>& words);

}  // namespace bulkhead::tool
