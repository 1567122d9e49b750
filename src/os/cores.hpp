// The cores that the scheduler lets this process run on.
#pragma once

#include <sched.h>

namespace bulkhead::os {

/// The number of cores in the calling thread's affinity mask; 0 if the kernel does not say.
unsigned affinity_cores() noexcept;

/// Pins the calling thread to the core where it is. A child is born there too, beside the page tables that it was
/// copied from, and unpins itself by its own copy.
class CorePin {
 public:
  /// Does nothing where it is pinned already, or the kernel refuses.
  void pin() noexcept;
  /// To all the cores that it was allowed before; to all that it ever may have, if nobody had chosen among them.
  void unpin() noexcept;

 private:
  cpu_set_t allowed_{};
  bool pinned_ = false;
};

}  // namespace bulkhead::os
