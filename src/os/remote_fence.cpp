#include "os/remote_fence.hpp"

#include "os/at_birth.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::os {

namespace {

long membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0, 0); }

// As the program is loaded: a lock around it could be held by another thread when a worker is forked.
const long known = membarrier(MEMBARRIER_CMD_QUERY);

}  // namespace

BULKHEAD_AT_BIRTH bool has_remote_fences() noexcept {
  constexpr long both = MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
  return known > 0 && (known & both) == both;
}

BULKHEAD_AT_BIRTH bool accept_remote_fences() noexcept {
  return membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
}

bool fence_remotely() noexcept { return membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0; }

}  // namespace bulkhead::os
