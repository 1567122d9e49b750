// The last lines of what a task wrote to standard error, for the report of its failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace bulkhead::tool {

constexpr std::size_t most_last_bytes = 2048;

/// The last five lines of a text, and no more than most_last_bytes of it.
std::string last_lines(std::string_view text);

/// Remembers them of running tasks whose lines pass by. Bounded by the number of tasks that run.
class LastWords {
 public:
  void note(std::uint64_t sequence, std::string_view lines);
  /// What the task said last, which is forgotten.
  std::string take(std::uint64_t sequence);

 private:
  std::unordered_map<std::uint64_t, std::string> said_;
};

}  // namespace bulkhead::tool
