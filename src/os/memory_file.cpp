#include "os/memory_file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace bulkhead::os {

namespace {

// A limit on the size of files (ulimit -f) counts for these as well, and the kernel says so with a signal that ends the
// process. The error alone is enough: 0 or errno.
int resize(int fd, std::size_t size) noexcept {
  sigset_t too_large, before;
  sigemptyset(&too_large);
  sigaddset(&too_large, SIGXFSZ);
  ::pthread_sigmask(SIG_BLOCK, &too_large, &before);
  const int error = ::ftruncate(fd, static_cast<off_t>(size)) == 0 ? 0 : errno;
  constexpr timespec at_once{};
  if (error == EFBIG && sigismember(&before, SIGXFSZ) == 0) ::sigtimedwait(&too_large, nullptr, &at_once);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error;
}

}  // namespace

MemoryFile::MemoryFile(const char* label, std::size_t size)
    : fd_(::memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING)), size_(size) {
  if (!fd_) throw_errno("memfd_create");
  fd_ = kept_from_children(std::move(fd_));
  errno = resize(fd_.get(), size);
  if (errno != 0) throw_errno("ftruncate(memfd)");
}

void MemoryFile::seal() {
  constexpr int seals = F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  if (::fcntl(fd_.get(), F_ADD_SEALS, seals) != 0) throw_errno("fcntl(F_ADD_SEALS)");
}

bool MemoryFile::occupy(std::size_t offset, std::size_t size) const {
  for (;;) {
    if (::fallocate(fd_.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(size)) == 0) return true;
    if (errno == ENOMEM || errno == ENOSPC) return false;
    if (errno != EINTR) throw_errno("fallocate(memfd)");
  }
}

void keep_from_children(void* address, std::size_t size) noexcept { ::madvise(address, size, MADV_DONTFORK); }
void keep_from_core(void* address, std::size_t size) noexcept { ::madvise(address, size, MADV_DONTDUMP); }

}  // namespace bulkhead::os
