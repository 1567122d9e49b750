#include "attempt.hpp"

#include "quantity.hpp"

#include <bulkhead/signals.hpp>

#include <system_error>

namespace bulkhead::tool {

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

void describe(const CommandResult& result, std::chrono::milliseconds timeout, Attempt& attempt) {
  attempt.exit_code = result.timed_out ? -1 : result.exit_code.value_or(-1);
  attempt.signal = result.signal;
  attempt.leaked = result.leaked;
  attempt.started = std::chrono::nanoseconds(result.started_ns);
  attempt.ran = std::chrono::nanoseconds(result.ran_ns);
  attempt.output = result.output;
  attempt.error = result.error;
  if (result.cancelled) {
    attempt.end = TaskEnd::left_over;
    attempt.words = "STOPPED";
  } else if (result.timed_out) {
    attempt.end = TaskEnd::timed_out;
    attempt.words = "TIMEOUT " + format_duration(timeout);
  } else if (result.output_error != 0) {
    attempt.end = TaskEnd::failed;
    attempt.words = "OUTPUT LOST: " + reason(result.output_error);
  } else if (result.start_error != 0) {
    attempt.end = TaskEnd::failed;
    attempt.words = "CANNOT RUN: " + reason(result.start_error);
  } else if (result.signal != 0) {
    attempt.end = TaskEnd::crashed;
    attempt.words = "CRASH " + signal_name(result.signal);
  } else if (result.succeeded()) {
    attempt.end = TaskEnd::ok;
    attempt.words = "OK";
  } else {
    attempt.end = TaskEnd::failed;
    attempt.words = "EXIT " + (result.exit_code ? std::to_string(*result.exit_code) : std::string("unknown"));
  }
}

void describe(const Failure& failure, std::chrono::milliseconds timeout, Attempt& attempt) {
  attempt.exit_code = failure.exit_code;
  attempt.signal = failure.signal;
  attempt.worker_died = failure.ending == Ending::crashed || failure.ending == Ending::exited;
  attempt.end = TaskEnd::failed;
  switch (failure.ending) {
    case Ending::crashed:
      attempt.end = TaskEnd::crashed;
      attempt.words = "CRASH " + signal_name(failure.signal);
      if (!failure.backtrace.empty()) attempt.words += " at " + failure.backtrace.front();
      return;
    case Ending::timed_out:
      attempt.end = TaskEnd::timed_out;
      attempt.words = "TIMEOUT " + format_duration(timeout);
      return;
    case Ending::out_of_memory:
      attempt.end = TaskEnd::out_of_memory;
      attempt.words = "OOM " + failure.describe();
      return;
    case Ending::cancelled:
    case Ending::abandoned:
      attempt.end = TaskEnd::left_over;
      attempt.words = failure.ending == Ending::cancelled ? "STOPPED" : "NOT RUN: " + failure.describe();
      return;
    case Ending::exception:
      attempt.words = "EXCEPTION " + (failure.what.empty() ? failure.type : failure.what);
      return;
    case Ending::exited:
      attempt.words = "EXIT " + std::to_string(failure.exit_code) + " in the middle of the task";
      return;
    case Ending::value:
    case Ending::limit_exceeded:
    case Ending::too_large:
    case Ending::protocol_error:
    case Ending::not_serializable:
      attempt.words = "FAILED " + failure.describe();
      return;
  }
}

int shell_status(const Attempt& attempt) {
  if (attempt.end == TaskEnd::ok) return 0;
  if (attempt.end == TaskEnd::timed_out) return 124;
  if (attempt.signal != 0) return 128 + attempt.signal;
  return attempt.exit_code > 0 ? attempt.exit_code : 1;
}

std::string joined_record(const Task& task) {
  std::string text;
  for (const std::string& field : task.fields) text += (&field == &task.fields.front() ? "" : " ") + field;
  return text;
}

}  // namespace bulkhead::tool
