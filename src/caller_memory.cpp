#include <bulkhead/detail/caller_memory.hpp>

#include "os/caller_memory.hpp"

namespace bulkhead::detail {

std::size_t huge_size(std::size_t bytes) noexcept {
  constexpr std::size_t of_the_allocator = 64;  // what it may keep before and behind it; less than a page
  if (bytes < os::huge_page_bytes) return bytes;
  const std::size_t pages = (bytes + of_the_allocator + os::huge_page_bytes - 1) / os::huge_page_bytes;
  return pages * os::huge_page_bytes - of_the_allocator;
}

CallerMemory::CallerMemory(void* memory, std::size_t size) {
  const os::Pages pages = os::pages_of(memory, size);
  if (pages.size == 0) return;
  os::advise_huge(pages);
  os::advise_unforked(pages);
  pages_ = pages.begin;
  size_ = pages.size;
}

CallerMemory::~CallerMemory() {
  if (size_ != 0) os::advise_forked({pages_, size_});
}

}  // namespace bulkhead::detail
