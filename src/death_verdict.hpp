// Whose fault a worker's death was, from plain facts. Pure: no process is touched here.
#pragma once

#include <bulkhead/outcome.hpp>

#include <chrono>
#include <cstdint>

namespace bulkhead {

/// Why we ended a worker ourselves, if we did.
enum class KillReason : std::uint8_t {
  none,
  timed_out,   // the task outlived its time
  cancelled,   // the run was stopped
  bad_frames,  // what it sent did not check out
  init_timed_out,
  exit_timed_out,  // told to leave, it did not
  cpu_time,        // the task used up its processor time
  unresponsive,    // it did not take what it was dealt: no task's fault
  retired,         // told to leave: recycling, or nothing left to do
};

/// What is known about a death once everything the worker managed to say has been taken.
struct Death {
  bool signaled = false;
  int number = 0;            // the signal, or the exit code
  bool status_known = true;  // false: somebody else reaped it
  KillReason reason = KillReason::none;
  std::chrono::milliseconds task_timeout{0}, init_timeout{0}, cpu_time{0};
  std::uint64_t memory_limit = 0, file_size = 0;
  bool allocation_refused = false;  // it had found no memory while this task was in its hands
  bool killed_for_memory = false;   // the kernel counted a kill for want of memory in our control group

  bool left_in_order() const noexcept { return status_known && !signaled && number == 0; }
};

/// The ending of the task that the worker had in its hands.
Failure judge_death(const Death& death);

/// Words for a death that no task is to blame for ("killed by SIGKILL", "exited with code 1").
std::string describe_death(const Death& death);

}  // namespace bulkhead
