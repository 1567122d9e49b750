// Memory of the caller's that workers need not have.
#pragma once

#include <cstddef>
#include <utility>

namespace bulkhead::detail {

/// While one lives, the whole pages within the range are not inherited by workers, and are advised to be huge. For
/// outcomes that are filled in while workers are forked: a page that children share costs a copy at the next store.
/// The range must stay allocated that long.
class CallerMemory {
 public:
  CallerMemory() noexcept = default;
  CallerMemory(void* memory, std::size_t size) noexcept;
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
