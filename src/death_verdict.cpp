#include "death_verdict.hpp"

#include "os/signal_name.hpp"

namespace bulkhead {

std::string describe_death(const Death& death) {
  if (death.reason == KillReason::init_timed_out) return judge_death(death).what;
  if (!death.status_known) return "ended, and somebody else in this process collected its status";
  if (death.signaled) return "ended by " + os::signal_name(death.number);
  return "exited with code " + std::to_string(death.number);
}

Failure judge_death(const Death& death) {
  Failure failure;
  switch (death.reason) {
    case KillReason::timed_out:
      failure.ending = Ending::timed_out;
      failure.what = "still running after " + std::to_string(death.task_timeout.count()) + " ms";
      return failure;
    case KillReason::init_timed_out:
      failure.ending = Ending::timed_out;
      failure.what = "worker_init was still running after " + std::to_string(death.init_timeout.count()) + " ms";
      return failure;
    case KillReason::cancelled:
      failure.ending = Ending::cancelled;
      failure.what = "the run was stopped while the task was running";
      return failure;
    case KillReason::bad_frames:
      failure.ending = Ending::protocol_error;
      failure.what = "the worker wrote over its own results while this task was in its hands";
      return failure;
    case KillReason::none:
    case KillReason::retired:
      break;
  }
  if (!death.status_known) {
    failure.ending = Ending::crashed;
    failure.what = "the worker " + describe_death(death);
  } else if (death.signaled) {
    failure.ending = Ending::crashed;
    failure.signal = death.number;
  } else {
    failure.ending = Ending::exited;
    failure.exit_code = death.number;
  }
  return failure;
}

}  // namespace bulkhead
