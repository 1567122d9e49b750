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

/// Whether one of them is more than a zombie.
bool any_lives(std::span<const int> processes);

/// The most that this process itself had resident, in bytes: a program that it starts inherits the number.
std::uint64_t own_peak_memory() noexcept;

}  // namespace bulkhead::os
