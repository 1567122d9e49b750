#include "death_verdict.hpp"

#include "os/signal_name.hpp"

#include <csignal>

namespace bulkhead {

namespace {

// A limit that is the evident cause. What only looks like one stays a crash.
bool judge_limits(const Death& death, Failure& failure) {
  const std::string how = "the worker " + describe_death(death);
  if (death.signaled && death.number == SIGXFSZ && death.file_size != 0) {
    failure.ending = Ending::limit_exceeded;
    failure.what = how + ": a file grew beyond WorkOptions::file_size (" + std::to_string(death.file_size) + " bytes)";
  } else if (death.signaled && death.number == SIGKILL && death.killed_for_memory) {
    failure.ending = Ending::out_of_memory;
    failure.what = how + " by the kernel, which counted a process of this control group ended for want of memory";
  } else if (death.allocation_refused) {
    failure.ending = Ending::out_of_memory;
    failure.what = how + (death.memory_limit != 0 ? " after it was refused memory (WorkOptions::memory_limit is " +
                                                        std::to_string(death.memory_limit) + ")"
                                                  : " after the system had refused it memory for a result");
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string describe_death(const Death& death) {
  if (death.reason == KillReason::init_timed_out) return judge_death(death).what;
  if (!death.status_known) return "ended, and how is not known: nobody is left who could say";
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
    case KillReason::exit_timed_out:
      failure.ending = Ending::timed_out;
      failure.what = "the worker was told to leave and had not left after the grace (WorkOptions::kill_grace)";
      return failure;
    case KillReason::unresponsive:
      failure.ending = Ending::timed_out;
      failure.what = "the worker did not take the tasks that it was dealt";
      return failure;
    case KillReason::cpu_time:
      failure.ending = Ending::limit_exceeded;
      failure.what =
          "used more than " + std::to_string(death.cpu_time.count()) + " ms of processor time (WorkOptions::cpu_time)";
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
    return failure;
  }
  (death.signaled ? failure.signal : failure.exit_code) = death.number;
  if (!judge_limits(death, failure)) failure.ending = death.signaled ? Ending::crashed : Ending::exited;
  return failure;
}

}  // namespace bulkhead
