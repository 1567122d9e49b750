// What a program and all that it started use at this moment, as /proc tells it.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

namespace bulkhead::os {

struct TreeUsage {
  std::uint64_t private_memory = 0, shared_memory = 0;  ///< resident bytes
  std::chrono::nanoseconds cpu_time{};                  ///< with that of the processes they have waited for
};

/// The sum over these processes. One that has gone meanwhile counts nothing.
TreeUsage usage_of(std::span<const int> processes);

/// How much of `peak` resident bytes at most was memory of a process' own, when it had so many faults for pages that
/// were in memory. The kernel notes no such peak; but a page of a mapped file comes with up to fifteen neighbours,
/// while each page of memory of its own takes a fault.
std::uint64_t private_part_of(std::uint64_t peak, std::uint64_t faults) noexcept;

/// Whether one of them is more than a zombie.
bool any_lives(std::span<const int> processes);

/// The most that this process itself had resident, in bytes: a program that it starts inherits the number.
std::uint64_t own_peak_memory() noexcept;

}  // namespace bulkhead::os
