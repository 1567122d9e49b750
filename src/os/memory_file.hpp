// Memory with a descriptor and no name: a memfd, with the seals that keep readers readers.
#pragma once

#include "os/fd.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace bulkhead::os {

class MemoryFile {
 public:
  /// `size` bytes are reserved, none is occupied. `label` shows in /proc only. Throws std::system_error.
  MemoryFile(const char* label, std::size_t size);

  /// One that another process made.
  MemoryFile(Fd fd, std::size_t size) noexcept : fd_(std::move(fd)), size_(size) {}

  const Fd& fd() const noexcept { return fd_; }
  std::size_t size() const noexcept { return size_; }

  /// From here on no new writable mapping can be made, by anyone, and the size stays: mappings that stand stay as they
  /// are.
  void seal();
  /// Occupies the range now, so that short memory is an error here and never a SIGBUS at a store. False: no memory.
  bool occupy(std::size_t offset, std::size_t size) const;
  void close() noexcept { fd_.reset(); }
  Fd release() && noexcept { return std::move(fd_); }

 private:
  Fd fd_;
  std::size_t size_;
};

/// Occupies whole pages of a mapping now, so that short memory is an answer and never a SIGBUS at a store. False: no
/// memory. A kernel before 5.14 cannot be asked: true.
bool occupy_pages(void* address, std::size_t size) noexcept;
/// The same for a mapping that may only be read: what nobody has stored to reads as nought afterwards.
bool occupy_pages_to_read(void* address, std::size_t size) noexcept;
/// Occupied no longer, by any process: what lies there reads as nought.
void give_back_pages(void* address, std::size_t size) noexcept;
/// Children forked from here on do not have this range. Must be whole pages.
void keep_from_children(void* address, std::size_t size) noexcept;
/// Leaves the range out of core dumps.
void keep_from_core(void* address, std::size_t size) noexcept;

}  // namespace bulkhead::os
