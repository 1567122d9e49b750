// What both forms of the summing example have in common: the sum over a half, and the two halves.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

using Range = std::pair<std::int64_t, std::int64_t>;

inline std::int64_t sum_of(Range range) {
  std::int64_t total = 0;
  for (std::int64_t i = range.first; i < range.second; ++i) total += i;
  return total;
}

inline const std::vector<Range> halves{{0, 500'000}, {500'000, 1'000'000}};
