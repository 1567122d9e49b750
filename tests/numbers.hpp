// Numbers to work on, and about the least that can be done with one.
#pragma once

#include <cstddef>
#include <numeric>
#include <vector>

/// 0, 1, 2, ...: so many of them.
inline std::vector<int> up_to(int n) {
  std::vector<int> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

inline int twice(int n) { return 2 * n; }
