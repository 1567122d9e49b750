// Time that only goes forward, and what a process has used. A clock read costs more than a tiny task: ration it.
#pragma once

#include <chrono>
#include <cstdint>

namespace bulkhead::os {

/// CLOCK_MONOTONIC without the time that the program was suspended (suspension.hpp).
std::chrono::nanoseconds now() noexcept;
/// The peak resident memory of this process so far, in KiB.
std::uint64_t peak_rss_kib() noexcept;

}  // namespace bulkhead::os
