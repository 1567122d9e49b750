// Memory that forked children do not get: after a fork each first store to an inherited page is a copy fault, which
// costs as much as a thousand tiny tasks.
#pragma once

#include <cstddef>
#include <new>

namespace bulkhead::os {

/// The whole pages within a range of somebody else's memory.
struct Pages {
  void* begin = nullptr;
  std::size_t size = 0;
};
Pages whole_pages(void* memory, std::size_t size) noexcept;
/// Absent in children forked from here on, and huge where the system grants it: best before the first touch.
void advise_unforked(const Pages& pages) noexcept;
/// Inherited again.
void advise_forked(const Pages& pages) noexcept;

/// Whole pages, zeroed on first touch, absent in children. Throws std::bad_alloc.
void* allocate_unforked(std::size_t size);
void free_unforked(void* memory, std::size_t size) noexcept;

/// For containers of the coordinator that every batch rewrites.
template <class T>
struct UnforkedAllocator {
  using value_type = T;
  UnforkedAllocator() noexcept = default;
  template <class U>
  explicit UnforkedAllocator(const UnforkedAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) { return static_cast<T*>(allocate_unforked(n * sizeof(T))); }
  void deallocate(T* memory, std::size_t n) noexcept { free_unforked(memory, n * sizeof(T)); }
  friend bool operator==(const UnforkedAllocator&, const UnforkedAllocator&) noexcept { return true; }
};

}  // namespace bulkhead::os
