// CRC-32C of a frame: by the processor where it can, by Boost's table where it cannot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead::ipc {

inline constexpr std::size_t quartered = 512;

/// Of twelve bytes (`first`, then `second`) and then a byte range, continued from `seed`. One call for a whole frame,
/// with its header in registers: frames are many and small. Of a range of `quartered` bytes or more the quarters are
/// taken each by itself, and their sums then: the processor works on four at once.
std::uint32_t crc32c(std::uint32_t seed, std::uint64_t first, std::uint32_t second,
                     std::span<const std::byte> bytes) noexcept;

/// Of values of `each` bytes that stand `stride` apart, one after the other, continued from `seed`: so it can be kept
/// while values are added. What is between them does not count.
std::uint32_t crc32c_of_values(std::uint32_t seed, std::span<const std::byte> values, std::size_t each,
                               std::size_t stride) noexcept;

/// Whether the processor has one for it. Never written after static initialisation.
extern constinit bool crc32c_is_an_instruction;
std::uint32_t crc32c_of_number_by_table(std::uint32_t seed, std::uint64_t value) noexcept;

/// crc32c_of_values() of one value more of eight bytes: they come by the million.
inline std::uint32_t crc32c_of_number(std::uint32_t seed, std::uint64_t value) noexcept {
#if defined(__x86_64__)
  if (crc32c_is_an_instruction) [[likely]] {  // asm: the intrinsic is only for functions that need the instruction
    std::uint64_t sum = seed;
    asm("crc32q %1, %0" : "+r"(sum) : "rm"(value));
    return static_cast<std::uint32_t>(sum);
  }
#endif
  return crc32c_of_number_by_table(seed, value);
}

}  // namespace bulkhead::ipc
