// How many processes of a control group the kernel has ended for want of memory.
#pragma once

#include "os/fd.hpp"

#include <cstdint>

namespace bulkhead::os {

/// Counts in the group that this process is in when it is made. The file stays open: it is asked at every death by
/// SIGKILL, and finding it costs more than reading it.
class OutOfMemoryKills {
 public:
  OutOfMemoryKills();

  /// Whether there were more of them since this was asked last, or since the beginning. False where no group counts.
  bool any_since_last_asked();

 private:
  Fd file_;
  std::uint64_t known_ = 0;
};

}  // namespace bulkhead::os
