#include <bulkhead/machine.hpp>

#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead {

bool has_process_descriptors() noexcept {
  const long descriptor = ::syscall(SYS_pidfd_open, ::getpid(), 0);
  if (descriptor < 0) return false;
  ::close(static_cast<int>(descriptor));
  return true;
}

}  // namespace bulkhead
