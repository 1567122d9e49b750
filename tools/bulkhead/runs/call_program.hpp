// `bulkhead call` where it is a program of its own: what loads plugins cannot be linked statically, and the rest is,
// since it starts in less time so.
#pragma once

#include <string>
#include <vector>

namespace bulkhead::tool {

/// Becomes bulkhead-call, the first that there is. `places`: paths of it, seen from this program's folder where they
/// are relative, which may have been moved. `words`: what stands behind the subcommand's name. Throws UsageError naming
/// where it is not, std::system_error.
[[noreturn]] void become_call_program(const std::vector<std::string>& places, const std::vector<std::string>& words);

}  // namespace bulkhead::tool
