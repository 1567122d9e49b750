// What a thread does with the tasks that it has claimed, to those who do not know their type.
#pragma once

#include <bulkhead/detail/claimed_range.hpp>
#include <bulkhead/detail/current_task.hpp>
#include <bulkhead/detail/task_block.hpp>

#include <cstdint>

namespace bulkhead::detail {

/// Called by all threads of a run at once.
class TaskLoop {
 public:
  virtual ~TaskLoop() = default;
  /// Runs the task at `place` and then what `claimed` still holds of the block, until a stop is requested. Returns how
  /// many it ran; does not throw.
  virtual std::uint32_t run(TaskNumbers& block, std::uint32_t place, ClaimedRange& claimed, CurrentTask& current) = 0;
};

}  // namespace bulkhead::detail
