// Durations as the numbers that files and messages have.
#pragma once

#include <chrono>

namespace bulkhead::tool {

inline double as_seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace bulkhead::tool
