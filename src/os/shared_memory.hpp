// Anonymous memory shared with every process forked later.
#pragma once

#include <cstddef>
#include <span>

namespace bulkhead::os {

/// Zeroed and page-aligned. Throws std::system_error.
std::span<std::byte> map_shared(std::size_t size);

void unmap_shared(std::span<std::byte> bytes) noexcept;

}  // namespace bulkhead::os
