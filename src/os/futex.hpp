// Sleeping on a word of shared memory. Works on a mapping that the sleeper may only read.
#pragma once

#include <chrono>
#include <cstdint>

namespace bulkhead::os {

/// Sleeps while the word holds `expected`, at most `timeout`. May return early for no reason: look again.
void futex_wait(const std::uint32_t* word, std::uint32_t expected, std::chrono::milliseconds timeout) noexcept;
/// Wakes one sleeper, in whatever process.
void futex_wake(const std::uint32_t* word) noexcept;

}  // namespace bulkhead::os
