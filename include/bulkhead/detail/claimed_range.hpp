// The places that one worker has claimed and not begun: it takes the first, others may take the last from it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

namespace bulkhead::detail {

/// Lock-free. assign() and pop() are the owner's; take_back() is for one other at a time; left() for anybody.
///
/// The owner pays one atomic operation on a line that nobody else writes meanwhile, so that a task costs no lock, and
/// still none waits behind the one in hand while another thread has nothing to do.
class ClaimedRange {
 public:
  struct Range {
    std::uint32_t first = 0, last = 0;
    std::uint32_t size() const noexcept { return last - first; }
  };

  /// While it is empty.
  void assign(Range range) noexcept { word_ = pack(range); }

  std::optional<std::uint32_t> pop() noexcept {
    std::uint64_t word = word_;
    for (;;) {
      const Range range = unpack(word);
      if (range.size() == 0) return std::nullopt;
      if (word_.compare_exchange_weak(word, pack({range.first + 1, range.last}))) return range.first;
    }
  }

  enum class Share : std::uint8_t { half, all };
  /// The later half (of a single one, that one), or all; empty if nothing is left.
  Range take_back(Share share) noexcept {
    std::uint64_t word = word_;
    for (;;) {
      const Range range = unpack(word);
      const std::uint32_t middle = share == Share::all ? range.first : range.first + range.size() / 2;
      if (range.size() == 0) return {};
      if (word_.compare_exchange_weak(word, pack({range.first, middle}))) return {middle, range.last};
    }
  }

  /// `first` is the place after the one that was popped last: all before that one are done with.
  Range left() const noexcept { return unpack(word_); }

 private:
  static constexpr std::uint64_t pack(Range range) noexcept {
    return range.first | static_cast<std::uint64_t>(range.last) << 32;
  }
  static constexpr Range unpack(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
  }

  std::atomic<std::uint64_t> word_ = 0;
};

}  // namespace bulkhead::detail
