// Memory of the caller's that workers need not have.
#pragma once

#include <cstddef>
#include <utility>

namespace bulkhead::detail {

/// Bytes at least as many as `bytes`, of which an allocation is huge from its first page to its last where that is to
/// be had: a mapping of its own begins at a huge page if it is as long as some of them.
std::size_t huge_size(std::size_t bytes) noexcept;

/// While one lives, the pages of an allocation are not inherited by workers, and are advised to be huge. For outcomes
/// that are filled in while workers are forked: a page that children share costs a copy at the next store. It must stay
/// allocated that long.
class CallerMemory {
 public:
  CallerMemory() noexcept = default;
  /// Best before the first touch.
  CallerMemory(void* memory, std::size_t size);
  CallerMemory(CallerMemory&& other) noexcept : pages_(other.pages_), size_(std::exchange(other.size_, 0)) {}
  CallerMemory& operator=(CallerMemory other) noexcept {
    std::swap(pages_, other.pages_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~CallerMemory();

 private:
  void* pages_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace bulkhead::detail
