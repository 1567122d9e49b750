// How far a threaded run pulls ahead of what it delivers.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace bulkhead::detail {

/// Bounds the memory of a run. A stream's is small, so that its input is pulled no sooner than needed. It is widened
/// while it holds less than two milliseconds of work for each thread, since a wait costs more than short tasks take;
/// and when a task that takes long keeps those behind it from being delivered, and a thread has run out of tasks.
class PullWindow {
 public:
  PullWindow(bool of_stream, std::size_t workers) noexcept
      : largest_(std::max<std::size_t>(of_stream ? 4096 : 16384, small(workers))),
        size_(of_stream ? small(workers) : largest_) {}

  std::size_t size() const noexcept { return size_; }
  bool is_largest() const noexcept { return size_ == largest_; }
  /// Whether `threads` are soon done with it, at what each task takes (0: not known).
  bool is_soon_done(std::chrono::nanoseconds each, std::size_t threads) const noexcept {
    constexpr std::chrono::milliseconds ahead{2};  // more than results are gathered
    return each != each.zero() && each * size_ < ahead * threads;
  }
  void widen() noexcept { size_ = std::min(2 * size_, largest_); }

 private:
  static constexpr std::size_t small(std::size_t workers) noexcept { return 64 + 4 * workers; }

  std::size_t largest_, size_;  // items
};

}  // namespace bulkhead::detail
