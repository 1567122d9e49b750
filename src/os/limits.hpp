// What a worker may use at most, and what the kernel knows about what it used.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace bulkhead::os {

/// 0: no limit of ours.
struct ProcessLimits {
  std::uint64_t memory = 0;     ///< bytes of private memory beyond what the process has now (RLIMIT_DATA)
  std::uint64_t file_size = 0;  ///< bytes
  unsigned open_files = 0;
};

/// Binds this process and all that it starts. Throws std::system_error naming the limit.
void limit_this_process(const ProcessLimits& limits);

/// The processor time that a living process has used, with all its threads; nothing if the kernel does not say, and for
/// 0, a number that is not known.
std::optional<std::chrono::nanoseconds> processor_time(long pid) noexcept;

}  // namespace bulkhead::os
