// What a function can learn about the task it is running, and say while it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace bulkhead {

/// The task in this thread's hands.
struct ThisTask {
  std::uint64_t index = 0;  ///< the item's place in the input, from 0
  unsigned attempt = 1;     ///< from 1; above 1 for a retry
  int worker = 0;           ///< slot, from 0
};

/// The task that this thread is running now, or nullopt outside of one. Works in worker processes and worker threads.
std::optional<ThisTask> this_task() noexcept;

/// Sends bytes to the coordinator before the task ends; they arrive there as EventKind::task_output, in order, each
/// call one event. `channel` is yours to give a meaning (1 and 2 for an output and an error stream, say).
///
/// Blocks while the coordinator is behind: memory is bounded on both sides. What was sent stays sent if the task then
/// crashes; a retry sends again. At most WorkOptions::max_result_bytes a call. Only for the thread that runs the task.
/// Throws std::logic_error outside of a task, and in a worker process while its result is being serialized;
/// std::length_error above the limit. Items and results end outside of tasks too, of which this_task() tells their
/// destructors.
void emit_output(int channel, std::span<const std::byte> bytes);

}  // namespace bulkhead
