// How many processes of a control group the kernel has ended for want of memory.
#pragma once

#include "os/fd.hpp"

#include <cstdint>

namespace bulkhead::os {

/// Counts in the group that this process is in when it begins. The file stays open: it is asked at every death by
/// SIGKILL, and finding it costs more than reading it.
class OutOfMemoryKills {
 public:
  /// From here on, or none where that cannot be had. Called again, it does nothing.
  void begin() noexcept;

  /// Whether there was one that no death was told to be yet: this one is. False where no group counts.
  bool claim();
  /// Those that had been counted when this was called last were nobody's that is of interest. A kill is counted before
  /// its process has ended: call this no more often than a process may take for that.
  void forget_old();

 private:
  Fd file_;
  bool looked_ = false;  // also where there is none
  std::uint64_t claimed_ = 0, counted_ = 0;
};

}  // namespace bulkhead::os
