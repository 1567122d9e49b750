// CRC-32C of a byte range, continued from `seed`: by the processor where it can, by Boost's table where it cannot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead::ipc {

std::uint32_t crc32c(std::uint32_t seed, std::span<const std::byte> bytes) noexcept;

}  // namespace bulkhead::ipc
