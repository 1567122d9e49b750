#include "os/caller_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace bulkhead::os {

namespace {

std::uintptr_t address_of(void* memory) noexcept { return reinterpret_cast<std::uintptr_t>(memory); }
std::uintptr_t page_bytes() noexcept { return static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE)); }
std::uintptr_t rounded_down(std::uintptr_t address, std::uintptr_t to) noexcept { return address / to * to; }
std::uintptr_t rounded_up(std::uintptr_t address, std::uintptr_t to) noexcept {
  return rounded_down(address + to - 1, to);
}
// Its mapping is its own: only its allocator has a part of the first page and the last.
bool fills_its_mapping(std::uintptr_t address, std::size_t size) noexcept {
  return size >= huge_page_bytes && address % huge_page_bytes <= alignof(std::max_align_t);
}

}  // namespace

void* allocate_unforked(std::size_t size) {
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  ::madvise(memory, size, MADV_DONTFORK);
  return memory;
}

void free_unforked(void* memory, std::size_t size) noexcept { ::munmap(memory, size); }

Pages pages_of(void* memory, std::size_t size) noexcept {
  const std::uintptr_t begin = address_of(memory), end = begin + size, page = page_bytes();
  const bool whole = fills_its_mapping(begin, size);
  const std::uintptr_t from = whole ? rounded_down(begin, page) : rounded_up(begin, page);
  const std::uintptr_t to = whole ? rounded_up(end, page) : rounded_down(end, page);
  return from < to ? Pages{reinterpret_cast<void*>(from), to - from} : Pages{};
}

void advise_huge(const Pages& pages) noexcept {
  ::madvise(pages.begin, pages.size, MADV_HUGEPAGE);
  // Where an allocation begins, its allocator has written already: a small page, and so would be the 511 behind it.
  if (fills_its_mapping(address_of(pages.begin), pages.size)) ::madvise(pages.begin, huge_page_bytes, MADV_COLLAPSE);
}

void advise_unforked(const Pages& pages) noexcept { ::madvise(pages.begin, pages.size, MADV_DONTFORK); }

void advise_forked(const Pages& pages) noexcept { ::madvise(pages.begin, pages.size, MADV_DOFORK); }

}  // namespace bulkhead::os
