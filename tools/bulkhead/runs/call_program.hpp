// `bulkhead call` where it is a program of its own: what loads plugins cannot be linked statically, and the rest is,
// since it starts in less time so.
#pragma once

#include <string>
#include <vector>

namespace bulkhead::tool {

/// Becomes that program. `place`: seen from the folder that this one lies in. `words`: what stands behind the
/// subcommand's name. Throws UsageError naming where it is not, std::system_error.
[[noreturn]] void become_call_program(const std::string& place, const std::vector<std::string>& words);

}  // namespace bulkhead::tool
