#include "rules/attempt.hpp"

#include "words/error_text.hpp"
#include "words/quantity.hpp"

#include <bulkhead/signals.hpp>

#include <fmt/format.h>

namespace bulkhead::tool {

namespace {

bool says(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

// The library names the limit by its field of WorkOptions.
std::string limit_in_words(const Failure& failure, const CommandLimits& limits) {
  if (says(failure.what, "cpu_time")) return "CPU over " + format_duration(limits.cpu_time);
  if (says(failure.what, "file_size")) return "FSIZE over " + format_size(limits.file_size);
  if (says(failure.what, "open_files")) return fmt::format("NOFILE over {}", limits.open_files);
  if (says(failure.what, "max_result_bytes") && limits.output != 0) return "OUTPUT over " + format_size(limits.output);
  return "FAILED " + failure.describe();
}

}  // namespace

void describe(const LimitHit& hit, Attempt& attempt) {
  attempt.end = hit.kind == LimitKind::memory ? TaskEnd::out_of_memory : TaskEnd::failed;
  if (hit.kind != LimitKind::file_size) attempt.exit_code = -1;  // what it left with, when told to go, is no result
  switch (hit.kind) {
    case LimitKind::memory:
      attempt.words = "OOM " + format_size(hit.used) + " of " + format_size(hit.allowed);
      return;
    case LimitKind::cpu_time: {
      const auto allowed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::nanoseconds(hit.allowed));
      attempt.words = fmt::format("CPU {:.2f}s of {}", static_cast<double>(hit.used) / 1e9, format_duration(allowed));
      return;
    }
    case LimitKind::file_size:
      attempt.words = "FSIZE over " + format_size(hit.allowed);
      return;
    case LimitKind::output:
      attempt.words = "OUTPUT over " + format_size(hit.allowed);
      return;
    case LimitKind::none:
      return;
  }
}

void describe(const CommandResult& result, std::chrono::milliseconds timeout, Attempt& attempt) {
  attempt.exit_code = result.timed_out ? -1 : result.exit_code.value_or(-1);
  attempt.signal = result.signal;
  attempt.leaked = result.leaked;
  attempt.started = std::chrono::nanoseconds(result.started_ns);
  attempt.ran = std::chrono::nanoseconds(result.ran_ns);
  attempt.output = result.output;
  attempt.error = result.error;
  attempt.max_rss = result.max_rss;
  if (result.cancelled) {
    attempt.end = TaskEnd::left_over;
    attempt.words = "STOPPED";
  } else if (result.limit) {
    describe(result.limit, attempt);
  } else if (result.timed_out) {
    attempt.end = TaskEnd::timed_out;
    attempt.words =
        "TIMEOUT " +
        format_duration(result.allowed_ns > 0 ? std::chrono::milliseconds(result.allowed_ns / 1'000'000) : timeout);
  } else if (result.output_error != 0) {
    attempt.end = TaskEnd::failed;
    attempt.words = "OUTPUT LOST: " + describe_error(result.output_error);
  } else if (result.start_error != 0) {
    attempt.end = TaskEnd::failed;
    attempt.words =
        "CANNOT RUN: " + (result.start_problem.empty() ? describe_error(result.start_error) : result.start_problem);
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

void name_refused_files(const CommandLimits& limits, Attempt& attempt) {
  if (attempt.end != TaskEnd::failed || attempt.exit_code <= 0) return;
  if (limits.open_files != 0 && says(attempt.error_tail, "Too many open files"))
    attempt.words = fmt::format("NOFILE over {}", limits.open_files);
  else if (limits.file_size != 0 && says(attempt.error_tail, "File too large"))
    attempt.words = "FSIZE over " + format_size(limits.file_size);
}

void describe(const Failure& failure, std::chrono::milliseconds timeout, const CommandLimits& limits,
              Attempt& attempt) {
  attempt.exit_code = failure.exit_code;
  attempt.signal = failure.signal;
  if (failure.max_rss > 0) attempt.max_rss = failure.max_rss;
  attempt.backtrace = failure.backtrace;
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
      attempt.words = limits.memory != 0 && says(failure.what, "memory_limit")
                          ? "OOM over " + format_size(limits.memory)
                          : "OOM " + failure.describe();
      return;
    case Ending::cancelled:
      attempt.end = TaskEnd::left_over;
      attempt.words = "STOPPED";
      return;
    case Ending::abandoned:
      attempt.end = TaskEnd::left_over;
      attempt.words = "NOT RUN: " + failure.describe();
      attempt.given_up = failure.what;
      if (limits.open_files != 0 && says(failure.what, "worker"))
        attempt.given_up += fmt::format(" (with --nofile {}: a worker itself may need more)", limits.open_files);
      return;
    case Ending::exception:
      attempt.words = "EXCEPTION " + (failure.what.empty() ? failure.type : failure.what);
      return;
    case Ending::exited:
      attempt.words = "EXIT " + std::to_string(failure.exit_code) + " in the middle of the task";
      return;
    case Ending::limit_exceeded:
    case Ending::too_large:
      attempt.words = limit_in_words(failure, limits);
      return;
    case Ending::value:
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
