// The worker's side of its annex: where results lie that are too large for the ring, until the coordinator has them.
//
// Their frames stand in the ring and say where. A place is free again when the coordinator has acknowledged the stream
// behind its frame. Places are given out in turns from the beginning on, and no more of the annex is used than a few
// results need: memory that was written a moment ago is in the cache still.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

namespace bulkhead::ipc {

class Annex {
 public:
  /// `memory` is `bytes` long, mapped, and nothing of it need be occupied.
  Annex(std::byte* memory, std::size_t bytes) noexcept : memory_(memory), bytes_(bytes) {}

  /// Place for a result; null: nothing that large is free now, or ever where is_free(). Occupies what it gives.
  std::byte* place(std::size_t size);
  /// Keeps the first `size` bytes of the place that was given out last until the stream is acknowledged up to `end`.
  void keep(std::size_t size, std::uint64_t end);
  void release(std::uint64_t acknowledged) noexcept;

  bool is_free() const noexcept { return kept_.empty(); }
  /// Up to where the stream must be acknowledged for the next place to be free; something must be kept.
  std::uint64_t next_release() const noexcept { return kept_.front().stream_end; }
  bool holds(const std::byte* bytes) const noexcept { return bytes >= memory_ && bytes < memory_ + bytes_; }
  std::size_t offset_of(const std::byte* bytes) const noexcept { return static_cast<std::size_t>(bytes - memory_); }

 private:
  struct Kept {
    std::size_t begin, end;
    std::uint64_t stream_end;
  };
  static constexpr std::size_t npos = ~std::size_t{0};

  std::size_t find(std::size_t size) const noexcept;
  bool occupy(std::size_t end) noexcept;

  std::byte* memory_;
  std::size_t bytes_;
  std::size_t occupied_ = 0, largest_ = 0, given_ = 0;
  std::deque<Kept> kept_;  // oldest first
};

}  // namespace bulkhead::ipc
