// The cores that the scheduler lets this process run on.
#pragma once

namespace bulkhead::os {

/// The number of cores in the calling thread's affinity mask; 0 if the kernel does not say.
unsigned affinity_cores() noexcept;

}  // namespace bulkhead::os
