// What the poller's keys mean.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bulkhead::process {

inline constexpr std::uint64_t input_key = 0, stop_key = 1, server_key = 2, server_death_key = 3;
constexpr std::uint64_t pipe_key(std::size_t slot) noexcept { return 4 + 2 * slot; }
constexpr std::uint64_t death_key(std::size_t slot) noexcept { return 5 + 2 * slot; }
constexpr std::size_t slot_of(std::uint64_t key) noexcept { return static_cast<std::size_t>((key - 4) / 2); }
constexpr bool is_death(std::uint64_t key) noexcept { return key % 2 == 1; }

}  // namespace bulkhead::process
