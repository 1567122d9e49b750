// `bulkhead call` where it is a program of its own: what loads plugins cannot be linked statically, and the rest is,
// since it starts in less time so.
#pragma once

#include <string>
#include <vector>

namespace bulkhead::tool {

/// Becomes bulkhead-call: libexec/bulkhead/bulkhead-call beside the folder of this program, which may have been moved;
/// else `installed`. `words`: what stands behind the subcommand's name. Throws UsageError naming where it is not,
/// std::system_error.
[[noreturn]] void become_call_program(const std::string& installed, const std::vector<std::string>& words);

}  // namespace bulkhead::tool
