// What the poller's keys mean.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bulkhead::process {

inline constexpr std::uint64_t input_key = 0, stop_key = 1, server_key = 2, server_death_key = 3;

// Of a worker: frames in its pipe; its death, if no fork server tells of it; words on its standard error.
enum class Sign : std::uint64_t { frames, death, words };
inline constexpr std::uint64_t first_worker_key = 4, signs = 3;
constexpr std::uint64_t key_of(std::size_t slot, Sign sign) noexcept {
  return first_worker_key + signs * slot + static_cast<std::uint64_t>(sign);
}
constexpr std::size_t slot_of(std::uint64_t key) noexcept {
  return static_cast<std::size_t>((key - first_worker_key) / signs);
}
constexpr Sign sign_of(std::uint64_t key) noexcept { return static_cast<Sign>((key - first_worker_key) % signs); }

}  // namespace bulkhead::process
