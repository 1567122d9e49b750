#include "os/caller_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace bulkhead::os {

void* allocate_unforked(std::size_t size) {
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  ::madvise(memory, size, MADV_DONTFORK);
  return memory;
}

void free_unforked(void* memory, std::size_t size) noexcept { ::munmap(memory, size); }

Pages whole_pages(void* memory, std::size_t size) noexcept {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto from = (reinterpret_cast<std::uintptr_t>(memory) + page - 1) / page * page;
  const auto to = (reinterpret_cast<std::uintptr_t>(memory) + size) / page * page;
  return from < to ? Pages{reinterpret_cast<void*>(from), to - from} : Pages{};
}

void advise_unforked(const Pages& pages) noexcept {
  ::madvise(pages.begin, pages.size, MADV_DONTFORK);
  ::madvise(pages.begin, pages.size, MADV_HUGEPAGE);
}

void advise_forked(const Pages& pages) noexcept { ::madvise(pages.begin, pages.size, MADV_DOFORK); }

}  // namespace bulkhead::os
