// Closing many descriptors by one call.
#pragma once

#include <unistd.h>

namespace bulkhead::os {

/// From `first` to `last`, both included. False: the kernel, before 5.9, has no such call, or refuses it.
/// Async-signal-safe.
inline bool close_range(unsigned first, unsigned last) noexcept {
  constexpr long number = 436;  // not in every distribution's headers
  return ::syscall(number, first, last, 0) == 0;
}

}  // namespace bulkhead::os
