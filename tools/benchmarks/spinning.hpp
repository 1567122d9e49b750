// Tasks of a known length: so many turns of a loop, gauged on processor time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// Runs `turns` turns of a loop that can neither be shortened nor overlapped with the next, and returns
/// monotonic_ns() at its end.
std::uint64_t spin(std::uint64_t turns);

/// Processor nanoseconds of one turn, while every worker's core spins at once: gauged in processes for 50 ms.
double gauge_turn();

/// How long each task is, in microseconds of processor time.
using Lengths = std::vector<std::uint32_t>;

Lengths same_lengths(std::size_t tasks, std::uint32_t us);

/// Mostly of 100 us, with eight of 100 ms spread over the first three quarters, so that an ideal schedule has no tail.
Lengths mixed_lengths(std::size_t tasks);

}  // namespace bench
