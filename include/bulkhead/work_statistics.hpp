// Where the time of a run went, in numbers that cost nothing to keep.
#pragma once

#include <chrono>
#include <cstdint>

namespace bulkhead {

/// Counts of one run, from its start: `Event::statistics` when it ends, `statistics()` of streams and pools at any
/// time.
///
/// In a run that is not stopped, and whose items can all be encoded, `dealt == tasks + retried + taken_back`. What an
/// executor does not have stays 0: threads encode nothing. Plain data.
struct WorkStatistics {
  std::uint64_t tasks = 0;       ///< that have ended, each once
  std::uint64_t dealt = 0;       ///< times that a task was handed to a worker
  std::uint64_t taken_back = 0;  ///< of these: unstarted, from a worker that was slow, or that ended
  std::uint64_t retried = 0;     ///< attempts that failed and were granted another

  std::uint64_t batches = 0;        ///< times that tasks were handed over, one or many in one go
  std::uint64_t largest_batch = 0;  ///< tasks
  double mean_batch() const noexcept {
    return batches == 0 ? 0 : static_cast<double>(dealt) / static_cast<double>(batches);
  }

  std::uint64_t coordinator_wakeups = 0;  ///< times that the coordinator's wait for something to happen came back
  std::uint64_t worker_wakeups = 0;  ///< of workers that slept, for tasks (their first too) or room in their outbox

  std::uint64_t item_bytes = 0;    ///< encoded, of all that was dealt. Processes only
  std::uint64_t result_bytes = 0;  ///< encoded values. Processes only
  std::uint64_t output_bytes = 0;  ///< that emit_output() sent to `on_event`

  std::uint64_t workers_started = 0;
  std::uint64_t workers_ended = 0;  ///< and were measured: `workers_cpu_time` is theirs

  std::chrono::nanoseconds wall_time{};  ///< from the start of the run to its end, or until now
  /// Of the thread that drives the run, in the same time: what it does between two results of a stream, and in
  /// `on_event`, is in here.
  std::chrono::nanoseconds coordinator_cpu_time{};
  std::chrono::nanoseconds workers_cpu_time{};  ///< with that of the processes they waited for
};

}  // namespace bulkhead
