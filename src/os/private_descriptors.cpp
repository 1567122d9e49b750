#include "os/private_descriptors.hpp"

#include "os/apart.hpp"
#include "os/at_birth.hpp"
#include "os/close_range.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

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

BULKHEAD_AT_BIRTH void close_all(int from, int to) noexcept {
  if (close_range(static_cast<unsigned>(from), static_cast<unsigned>(to))) return;
  for (int fd = from; fd <= to; ++fd) ::close(fd);  // a kernel before 5.9
}

}  // namespace

void mark_private(int fd) noexcept {
  if (!in_range(fd)) return;
  const std::size_t words = static_cast<std::size_t>(fd) / 64 + 1;
  for (std::size_t used = words_used; used < words && !words_used.compare_exchange_weak(used, words);) {
  }
  marks_of(fd) |= bit_of(fd);
}

BULKHEAD_AT_BIRTH void unmark_private(int fd) noexcept {
  if (in_range(fd) && (marks_of(fd) & bit_of(fd)) != 0) marks_of(fd) &= ~bit_of(fd);
}

BULKHEAD_AT_BIRTH void close_private_descriptors(std::span<const int> except) noexcept {
  int from = -1;  // of those that follow one another: there may be hundreds, and one call closes them all
  const int end = static_cast<int>(words_used * 64);
  for (int fd = 0; fd <= end; ++fd) {
    const bool closes =
        fd < end && (marks_of(fd) & bit_of(fd)) != 0 && std::find(except.begin(), except.end(), fd) == except.end();
    if (closes) marks_of(fd) &= ~bit_of(fd);
    if (closes && from < 0) from = fd;
    if (!closes && from >= 0) close_all(std::exchange(from, -1), fd - 1);
  }
}

}  // namespace bulkhead::os
