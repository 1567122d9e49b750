// --timeout P%: a limit that follows the median run time of the tasks that succeeded.
#pragma once

#include <bulkhead/channel.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

namespace bulkhead::tool {

/// Made before the workers are: they read what the coordinator writes, in memory that both see. That is no promise
/// broken: a worker that scribbles over it changes time limits, and nothing else.
class MedianTimeout {
 public:
  /// `percent` 0: there is never a limit.
  explicit MedianTimeout(double percent);
  bool wanted() const noexcept { return percent_ > 0; }
  /// A task succeeded after so long. In the coordinator.
  void add(std::chrono::nanoseconds ran);
  /// 0: fewer than three have succeeded so far. In any process.
  std::chrono::milliseconds current() const;

 private:
  double percent_;
  std::optional<SharedRegion> shared_;  // where there is a limit to follow
  std::vector<std::int64_t> sample_;    // of all run times, so that memory stays bounded
  std::uint64_t seen_ = 0;
  std::minstd_rand random_;
};

}  // namespace bulkhead::tool
