#include <bulkhead/detail/caller_memory.hpp>

#include "os/caller_memory.hpp"

namespace bulkhead::detail {

CallerMemory::CallerMemory(void* memory, std::size_t size) noexcept {
  const os::Pages pages = os::whole_pages(memory, size);
  pages_ = pages.begin;
  size_ = pages.size;
  if (size_ != 0) os::advise_unforked(pages);
}

CallerMemory::~CallerMemory() {
  if (size_ != 0) os::advise_forked({pages_, size_});
}

}  // namespace bulkhead::detail
