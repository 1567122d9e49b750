#include "os/caller_memory.hpp"

#include "os/small_file.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

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

// In the word before what it allocates glibc notes the length, and in a low bit that this is all of a mapping. Whether
// it does is not to be had otherwise; a length that fits to the byte is not there by chance.
bool fills_its_mapping(std::uintptr_t begin, std::size_t size) noexcept {
#if defined(__GLIBC__)
  constexpr std::size_t words_before = 2 * sizeof(std::size_t), is_mapped = 2;
  if (size < huge_page_bytes || begin % huge_page_bytes != words_before) return false;
  const std::size_t noted = *reinterpret_cast<const std::size_t*>(begin - sizeof(std::size_t));  // on the same page
  return noted == ((rounded_up(begin + size, page_bytes()) - (begin - words_before)) | is_mapped);
#else
  return false;
#endif
}

// The kernel puts pages together where it is asked to, whatever its administrator has said.
bool huge_pages_are_allowed() {
  static const bool forbidden =
      read_small_file("/sys/kernel/mm/transparent_hugepage/enabled").find("[never]") != std::string::npos;
  return !forbidden;
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
  const bool is_mapping = fills_its_mapping(begin, size);
  const std::uintptr_t from = is_mapping ? rounded_down(begin, page) : rounded_up(begin, page);
  const std::uintptr_t to = is_mapping ? rounded_up(end, page) : rounded_down(end, page);
  return from < to ? Pages{reinterpret_cast<void*>(from), to - from, is_mapping} : Pages{};
}

void advise_huge(const Pages& pages) {
  ::madvise(pages.begin, pages.size, MADV_HUGEPAGE);
  // Where an allocation begins, its allocator has written already: a small page, and so would be the 511 behind it.
  if (pages.is_mapping && huge_pages_are_allowed()) ::madvise(pages.begin, huge_page_bytes, MADV_COLLAPSE);
}

void advise_unforked(const Pages& pages) noexcept { ::madvise(pages.begin, pages.size, MADV_DONTFORK); }

void advise_forked(const Pages& pages) noexcept { ::madvise(pages.begin, pages.size, MADV_DOFORK); }

}  // namespace bulkhead::os
