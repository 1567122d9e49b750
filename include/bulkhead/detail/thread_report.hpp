// What a worker thread says to the driver.
#pragma once

#include <bulkhead/detail/task_block.hpp>
#include <bulkhead/outcome.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace bulkhead::detail {

enum class ReportKind : std::uint8_t { started, output, finished, gave_up };

struct ThreadReport {
  ReportKind kind{};
  int worker = 0;
  std::chrono::steady_clock::time_point when{};
  TaskSpan done{};                   // finished: what came of them stands there
  PackedStats stats{};               // finished: of each
  std::size_t index = 0;             // started, output
  unsigned attempt = 0;              // started, output
  std::optional<Failure> failure{};  // gave_up
  int channel = 0;                   // output
  std::vector<std::byte> bytes{};    // output
};

}  // namespace bulkhead::detail
