// Where the tasks of a threaded run lie, and their outcomes after them: blocks that are filled, worked off and used
// again.
#pragma once

#include <bulkhead/outcome.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace bulkhead::detail {

template <class Item>
struct ThreadTask {
  std::size_t index = 0;
  unsigned attempt = 0;
  std::optional<Item> item{};  // afterwards only where it is to be tried again
};

/// Each place is written by the driver, then by the one worker that claimed it, and is the driver's again after that
/// worker's report. What the workers read lies apart from what they write, so that a line of memory goes to and fro
/// once.
template <class Item, class R>
struct TaskBlock {
  // So many that one lock for them all is nothing, and no more than 64 KiB where they are large.
  static constexpr std::uint32_t size = static_cast<std::uint32_t>(
      std::clamp<std::size_t>((64u << 10) / (sizeof(ThreadTask<Item>) + sizeof(Outcome<R>)), 1, 64));

  std::array<ThreadTask<Item>, size> tasks;
  alignas(64) std::array<Outcome<R>, size> outcomes;
  alignas(64) std::uint32_t filled = 0, settled = 0;  // the driver's own
};

/// Some places of one block, which were handed over together.
template <class Block>
struct BlockSpan {
  Block* block = nullptr;
  std::uint32_t first = 0, last = 0;
  std::chrono::steady_clock::time_point dealt{};

  std::uint32_t size() const noexcept { return last - first; }
};

}  // namespace bulkhead::detail
