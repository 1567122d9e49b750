#include "output/statistics.hpp"

#include "words/as_number.hpp"
#include "words/quantity.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string_view>

namespace bulkhead::tool {

namespace {

std::string line(std::string_view name, const std::string& text) { return fmt::format("  {:<16}{}\n", name, text); }

std::string time_used(std::chrono::nanoseconds used, std::chrono::nanoseconds wall) {
  const double seconds = as_seconds(used);
  const std::string time = seconds < 1 ? fmt::format("{:.1f} ms", seconds * 1e3) : describe_duration(used);
  const double whole = as_seconds(wall);
  return whole > 0 ? fmt::format("{}, {:.1f}% of the wall time", time, 100 * seconds / whole) : time;
}

std::string tasks_time(const WorkStatistics& statistics) {
  const std::string time = time_used(statistics.workers_cpu_time, statistics.wall_time);
  if (statistics.workers_ended >= statistics.workers_started) return time;
  return fmt::format("{} (of {} workers of {}; the others were not measured)", time, statistics.workers_ended,
                     statistics.workers_started);
}

}  // namespace

std::string describe_statistics(const WorkStatistics& statistics) {
  const std::uint64_t in = statistics.result_bytes + statistics.output_bytes;
  return "bulkhead: where the time went\n" +
         line("dealt", fmt::format("{} times; workers started: {}", statistics.dealt, statistics.workers_started)) +
         line("taken back", fmt::format("{}, unstarted, and dealt again", statistics.taken_back)) +
         line("batches", fmt::format("{}: {:.1f} tasks in the mean, {} in the largest", statistics.batches,
                                     statistics.mean_batch(), statistics.largest_batch)) +
         line("wake-ups", fmt::format("{} of the coordinator, {} of workers", statistics.coordinator_wakeups,
                                      statistics.worker_wakeups)) +
         line("bytes", fmt::format("{} out, {} in", statistics.item_bytes, in)) +
         line("coordinator CPU", time_used(statistics.coordinator_cpu_time, statistics.wall_time)) +
         line("tasks' CPU", tasks_time(statistics));
}

}  // namespace bulkhead::tool
