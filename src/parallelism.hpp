// How many tasks may run at once after memory ran out. Pure.
#pragma once

#include <algorithm>
#include <cstddef>

namespace bulkhead {

/// Halved by every task that ran out of memory, and grown by one for so many successes as there are tasks at once: what
/// is too much together is tried with less company.
class Parallelism {
 public:
  explicit Parallelism(std::size_t most) noexcept : most_(most), allowed_(most) {}

  std::size_t allowed() const noexcept { return allowed_; }
  bool lowered() const noexcept { return allowed_ < most_; }
  void note_out_of_memory() noexcept {
    allowed_ = std::max<std::size_t>(allowed_ / 2, 1);
    successes_ = 0;
  }
  void note_successes(std::size_t count) noexcept {
    for (successes_ += count; lowered() && successes_ >= allowed_; ++allowed_) successes_ -= allowed_;
    if (!lowered()) successes_ = 0;
  }

 private:
  std::size_t most_, allowed_, successes_ = 0;
};

}  // namespace bulkhead
