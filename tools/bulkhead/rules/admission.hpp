// Whether the machine has room for another task: --load and --mem-free.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace bulkhead::tool {

/// The load average of the last minute; 0 where the system does not say.
double load_average();
/// Memory that a new program could have: the machine's, or what is left below a limit of a control group above this
/// process, whichever is less.
std::uint64_t available_memory();

/// Asks both, and tells `say` once in a while why nothing is started. Empty where neither is limited.
std::function<bool()> admission(double most_load, std::uint64_t free_memory,
                                std::function<void(const std::string&)> say);

}  // namespace bulkhead::tool
