// How far ahead a worker is dealt: by time and, of large items, by size; not by count. Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bulkhead {

/// Learns what a task takes from what came back, and says how many a worker should hold.
///
/// Deep for tasks of nanoseconds, so that hand-overs and wake-ups are shared by thousands; the one in hand and one
/// ahead for long tasks, so that little has to be taken back; and for large items, so that they are still in the cache
/// when their worker reads them.
class Pace {
 public:
  /// `fixed` tasks instead; 0: by time.
  explicit Pace(std::size_t fixed = 0) noexcept : fixed_(fixed) {}

  /// `count` tasks came back and took `took` together.
  void learn(std::chrono::nanoseconds took, std::uint64_t count) noexcept {
    const double each = static_cast<double>(took.count()) / static_cast<double>(count);
    // The first tasks seem long, for the wake-ups that they share with nobody. Many together prove more than a few.
    const double weight = each > mean_ns_ || count >= many ? 0.5 : 0.25;
    mean_ns_ = mean_ns_ == 0 ? each : mean_ns_ + (each - mean_ns_) * weight;
    const double fit = static_cast<double>(std::chrono::nanoseconds(horizon).count()) / std::max(mean_ns_, 1.0);
    // Grow by steps: one tiny task proves little about the next four thousand.
    depth_ = static_cast<std::size_t>(
        std::clamp(fit, double{shallowest}, std::min(4.0 * static_cast<double>(depth_), deepest)));
  }
  std::size_t depth() const noexcept { return fixed_ != 0 ? fixed_ : depth_; }
  /// So many large items, of so many bytes together, are enough before a worker, whatever else is there.
  bool enough(std::size_t large_items, std::uint64_t bytes) const noexcept {
    return fixed_ == 0 && large_items >= shallowest && bytes >= enough_bytes;
  }
  std::chrono::nanoseconds mean() const noexcept {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(mean_ns_));
  }

 private:
  static constexpr std::chrono::milliseconds horizon{16};  // two of the batches that results come in
  // Deeper lanes spare no wake-up any more, and push what is under way out of the cache: 2 workers and a reader in
  // order took 36 ns a task with 2048, 34 with 4096 and with 8192.
  static constexpr double deepest = 4096;
  static constexpr std::size_t shallowest = 2;
  // So much stays in a cache with its copies; milliseconds of large items are tens of megabytes (src/README.md).
  // Half and twice as much were measured to be as fast.
  static constexpr std::uint64_t enough_bytes = 1u << 20;
  static constexpr std::uint64_t many = 8;

  std::size_t fixed_;
  std::size_t depth_ = shallowest;
  double mean_ns_ = 0;
};

}  // namespace bulkhead
