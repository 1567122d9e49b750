// When a wait ends.
#pragma once

#include <algorithm>
#include <chrono>

namespace bulkhead::detail {

/// A wait of any length: far deadlines must not overflow the clock.
inline std::chrono::steady_clock::time_point deadline_after(std::chrono::milliseconds timeout) {
  constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 365);
  return std::chrono::steady_clock::now() + std::clamp(timeout, std::chrono::milliseconds(0), longest);
}

}  // namespace bulkhead::detail
