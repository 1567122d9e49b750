// The worker's side of its annex: where results lie that are too large for the ring, until the coordinator has them.
//
// Their frames stand in the ring and say where. A place is free again when the coordinator has acknowledged the stream
// behind its frame. Places are given out in turns from the beginning on, and no more of the annex is used than a few
// results need: memory that was written a moment ago is in the cache still.
#pragma once

#include <boost/container/deque.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace bulkhead::ipc {

class Annex {
 public:
  /// `memory` is `bytes` long, mapped, and nothing of it need be occupied.
  Annex(std::byte* memory, std::size_t bytes) : memory_(memory), bytes_(bytes) {}

  /// Place for a result, until it is kept or the next one is asked for; null: nothing that large is free now. Occupies
  /// what it gives.
  std::byte* place(std::size_t size);
  /// Keeps the last place until the stream is acknowledged up to `end`.
  void keep_until(std::uint64_t end) noexcept { places_.back().stream_end = end; }
  void release(std::uint64_t acknowledged) noexcept;

  /// Whether a result of `size` has a place once enough was acknowledged.
  bool may_hold(std::size_t size) const noexcept { return size <= bytes_; }
  /// The stream offset that must be acknowledged for more places to be free; nought: all are.
  std::uint64_t next_release() const noexcept { return places_.empty() ? 0 : places_.front().stream_end; }
  std::size_t offset_of(const std::byte* bytes) const noexcept { return static_cast<std::size_t>(bytes - memory_); }

 private:
  static constexpr std::uint64_t unclaimed = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

  struct Place {
    std::size_t begin, end;
    std::uint64_t stream_end = unclaimed;
  };

  std::size_t find(std::size_t size) const noexcept;
  std::size_t enough_for(std::size_t size) const noexcept;
  bool occupy(std::size_t end) noexcept;
  void give_back_beyond(std::size_t end) noexcept;

  std::byte* memory_;
  std::size_t bytes_;
  std::size_t occupied_ = 0;
  boost::container::deque<Place> places_;  // oldest first; only the youngest may be unclaimed. Empty, it costs nothing
};

}  // namespace bulkhead::ipc
