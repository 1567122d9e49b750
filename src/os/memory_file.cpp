#include "os/memory_file.hpp"

#include "os/at_birth.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace bulkhead::os {

namespace {

// ulimit -f is meant for disks, but counts memory files too, and exceeding it raises SIGXFSZ.
class FileSizeLimitLifted {
 public:
  explicit FileSizeLimitLifted(std::size_t size) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    if (before_.rlim_cur >= size) return;
    rlimit enough = before_;
    enough.rlim_cur = size;
    if (before_.rlim_max < size || ::setrlimit(RLIMIT_FSIZE, &enough) != 0)
      throw std::system_error(EFBIG, std::generic_category(),
                              "bulkhead: shared memory of " + std::to_string(size) +
                                  " bytes is more than the hard limit on file sizes (ulimit -f) allows");
    lifted_ = true;
  }
  ~FileSizeLimitLifted() {
    if (lifted_) ::setrlimit(RLIMIT_FSIZE, &before_);
  }
  FileSizeLimitLifted(const FileSizeLimitLifted&) = delete;
  FileSizeLimitLifted& operator=(const FileSizeLimitLifted&) = delete;

 private:
  rlimit before_{};
  bool lifted_ = false;
};

bool populate(void* address, std::size_t size, int how) noexcept {
  while (::madvise(address, size, how) != 0) {
    if (errno == EINVAL) return true;
    if (errno != EINTR && errno != EAGAIN) return false;
  }
  return true;
}

}  // namespace

MemoryFile::MemoryFile(const char* label, std::size_t size)
    : fd_(::memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING)), size_(size) {
  if (!fd_) throw_errno("memfd_create");
  fd_ = kept_from_children(std::move(fd_));
  const FileSizeLimitLifted lifted(size);
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) throw_errno("ftruncate(memfd)");
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

bool occupy_pages(void* address, std::size_t size) noexcept { return populate(address, size, MADV_POPULATE_WRITE); }
bool occupy_pages_to_read(void* address, std::size_t size) noexcept {
  return populate(address, size, MADV_POPULATE_READ);
}
void give_back_pages(void* address, std::size_t size) noexcept { ::madvise(address, size, MADV_REMOVE); }

BULKHEAD_AT_BIRTH void keep_from_children(void* address, std::size_t size) noexcept {
  ::madvise(address, size, MADV_DONTFORK);
}
BULKHEAD_AT_BIRTH void keep_from_core(void* address, std::size_t size) noexcept {
  ::madvise(address, size, MADV_DONTDUMP);
}

}  // namespace bulkhead::os
