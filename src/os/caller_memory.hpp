// Memory that forked children do not get: after a fork each first store to an inherited page is a copy fault, which
// costs as much as a thousand tiny tasks.
#pragma once

#include <cstddef>
#include <new>

namespace bulkhead::os {

inline constexpr std::size_t huge_page_bytes = 2u << 20;

struct Pages {
  void* begin = nullptr;
  std::size_t size = 0;
  bool is_mapping = false;  // all of one, which begins with a huge page
};
/// Those of an allocation of somebody else's that no other allocation has a part of. With them go the first page and
/// the last where glibc says that the allocation has its mapping for itself, and that begins with a huge page: advice
/// for a part of a huge page takes it to pieces.
Pages pages_of(void* memory, std::size_t size) noexcept;
/// Huge where the system grants it (its administrator may have said "never"): best before the first touch.
void advise_huge(const Pages& pages);
/// Absent in children forked from here on.
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
