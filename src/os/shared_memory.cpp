#include "os/shared_memory.hpp"

#include "os/fd.hpp"

#include <sys/mman.h>

namespace bulkhead::os {

std::span<std::byte> map_shared(std::size_t size) {
  void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw_errno("mmap(MAP_SHARED)");
  return {static_cast<std::byte*>(start), size};
}

void unmap_shared(std::span<std::byte> bytes) noexcept {
  if (!bytes.empty()) ::munmap(bytes.data(), bytes.size());
}

}  // namespace bulkhead::os
