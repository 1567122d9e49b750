// Signals by name, as people write them.
#pragma once

#include <string>

namespace bulkhead::os {

/// "SIGSEGV", "SIGRTMIN+2", or "signal 77" for a number that has no name.
std::string signal_name(int signal);

}  // namespace bulkhead::os
