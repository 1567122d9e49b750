// How far a threaded run pulls ahead of what it delivers.
#pragma once

#include <algorithm>
#include <cstddef>

namespace bulkhead::detail {

/// Bounds the memory of a run. A stream's is small, so that its input is pulled no sooner than needed; but of tasks
/// that are soon done more are needed, lest a wait for them costs more than they take: of the tiniest thousands. So are
/// more when one that takes long keeps those behind it from being delivered, and a thread has run out of tasks.
class PullWindow {
 public:
  PullWindow(bool of_stream, std::size_t workers) noexcept
      : largest_(std::max<std::size_t>(of_stream ? 4096 : 16384, small(workers))),
        size_(of_stream ? small(workers) : largest_) {}

  std::size_t size() const noexcept { return size_; }
  bool is_largest() const noexcept { return size_ == largest_; }
  void widen() noexcept { size_ = std::min(2 * size_, largest_); }

 private:
  static constexpr std::size_t small(std::size_t workers) noexcept { return 64 + 4 * workers; }

  std::size_t largest_, size_;  // items
};

}  // namespace bulkhead::detail
