#include "os/private_descriptors.hpp"

#include "os/apart.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bulkhead::os {

namespace {

// A bit for each descriptor: a set with a lock could be held by another thread at the moment of the fork, and a walk
// over its owners could meet one half changed. Higher numbers are not noted; nobody has so many open.
constexpr std::size_t most_marked = 1u << 16;
using Marks = std::atomic<std::uint64_t>;
constexpr std::size_t first = 16;
std::array<Marks, first> first_marks;  // as good as always all there are
BULKHEAD_APART std::array<Marks, most_marked / 64 - first> other_marks;
std::atomic<std::size_t> words_used = 0;  // none behind these was ever written: a child need not touch their pages

bool in_range(int fd) noexcept { return fd >= 0 && static_cast<std::size_t>(fd) < most_marked; }
Marks& marks(std::size_t i) noexcept { return i < first ? first_marks[i] : other_marks[i - first]; }
Marks& marks_of(int fd) noexcept { return marks(static_cast<std::size_t>(fd) / 64); }
std::uint64_t bit_of(int fd) noexcept { return std::uint64_t{1} << (fd % 64); }

}  // namespace

void mark_private(int fd) noexcept {
  if (!in_range(fd)) return;
  const std::size_t words = static_cast<std::size_t>(fd) / 64 + 1;
  for (std::size_t used = words_used; used < words && !words_used.compare_exchange_weak(used, words);) {
  }
  marks_of(fd) |= bit_of(fd);
}

void unmark_private(int fd) noexcept {
  if (in_range(fd) && (marks_of(fd) & bit_of(fd)) != 0) marks_of(fd) &= ~bit_of(fd);
}

void close_private_descriptors(std::span<const int> except) noexcept {
  for (std::size_t i = 0; i < words_used; ++i) {
    for (int bit = 0; marks(i) != 0 && bit < 64; ++bit) {
      const int fd = static_cast<int>(i) * 64 + bit;
      if ((marks(i) & bit_of(fd)) == 0 || std::find(except.begin(), except.end(), fd) != except.end()) continue;
      marks(i) &= ~bit_of(fd);
      ::close(fd);
    }
  }
}

}  // namespace bulkhead::os
