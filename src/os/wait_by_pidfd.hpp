// What waitid() is told when the process is named by a pidfd. The kernel's number: libraries name it, as an enumerator
// that no #ifdef sees, from glibc 2.36 on.
#pragma once

#include <sys/wait.h>

namespace bulkhead::os {

inline constexpr auto wait_by_pidfd = static_cast<idtype_t>(3);  // P_PIDFD

}  // namespace bulkhead::os
