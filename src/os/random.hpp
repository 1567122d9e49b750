// A number that no other process has.
#pragma once

#include <cstdint>

namespace bulkhead::os {

/// 64 bits from the kernel. A std::random_device would ask the processor what it can do, which takes 25 us and more
/// where that is a virtual one. Never fails: before the kernel has gathered enough, and in a filter that forbids the
/// call, it is the time in nanoseconds and the process' number.
std::uint64_t random_number() noexcept;

}  // namespace bulkhead::os
