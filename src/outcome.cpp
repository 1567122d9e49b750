#include <bulkhead/event.hpp>
#include <bulkhead/outcome.hpp>

#include "frame_text.hpp"
#include "os/signal_name.hpp"

#include <algorithm>

namespace bulkhead {
namespace {

std::string with_reason(std::string words, const std::string& reason) {
  return reason.empty() ? words : std::move(words) + ": " + reason;
}

std::string exception_in_words(const Failure& failure) {
  if (failure.type.empty()) return with_reason("exception", failure.what);
  return with_reason(failure.type, failure.what);
}

std::string exit_in_words(const Failure& failure) {
  if (failure.exit_code < 0) return with_reason("exited in the middle of the task", failure.what);
  const std::string code = "exited with code " + std::to_string(failure.exit_code);
  return with_reason(code + " in the middle of the task", failure.what);
}

std::string crash_in_words(const Failure& failure) {
  std::string words = failure.signal ? "crashed by " + os::signal_name(failure.signal) : "crashed";
  if (failure.backtrace.empty()) return words;
  (words += " at ") += parts_of_frame(failure.backtrace.front()).with_offset;
  // A crash inside a library without names is told by who called it.
  const auto has_name = [](const std::string& frame) { return names_a_function(parts_of_frame(frame)); };
  const auto named = std::find_if(failure.backtrace.begin(), failure.backtrace.end(), has_name);
  if (named != failure.backtrace.begin() && named != failure.backtrace.end())
    (words += " under ") += parts_of_frame(*named).with_offset;
  return words;
}

}  // namespace

std::string_view to_string(Ending ending) noexcept {
  switch (ending) {
    case Ending::value:
      return "value";
    case Ending::exception:
      return "exception";
    case Ending::exited:
      return "exited";
    case Ending::crashed:
      return "crashed";
    case Ending::timed_out:
      return "timed_out";
    case Ending::out_of_memory:
      return "out_of_memory";
    case Ending::limit_exceeded:
      return "limit_exceeded";
    case Ending::too_large:
      return "too_large";
    case Ending::cancelled:
      return "cancelled";
    case Ending::abandoned:
      return "abandoned";
    case Ending::protocol_error:
      return "protocol_error";
    case Ending::not_serializable:
      return "not_serializable";
  }
  return "unknown";
}

std::string_view to_string(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::run_started:
      return "run_started";
    case EventKind::worker_started:
      return "worker_started";
    case EventKind::task_started:
      return "task_started";
    case EventKind::task_output:
      return "task_output";
    case EventKind::attempt_lost:
      return "attempt_lost";
    case EventKind::task_finished:
      return "task_finished";
    case EventKind::worker_died:
      return "worker_died";
    case EventKind::worker_left:
      return "worker_left";
    case EventKind::worker_refused:
      return "worker_refused";
    case EventKind::processes_left:
      return "processes_left";
    case EventKind::fork_server_started:
      return "fork_server_started";
    case EventKind::fork_server_lost:
      return "fork_server_lost";
    case EventKind::isolation_lacking:
      return "isolation_lacking";
    case EventKind::quarantined:
      return "quarantined";
    case EventKind::heartbeat:
      return "heartbeat";
    case EventKind::run_finished:
      return "run_finished";
  }
  return "unknown";
}

std::string Failure::describe() const {
  switch (ending) {
    case Ending::value:
      return "ended with a value";
    case Ending::exception:
      return exception_in_words(*this);
    case Ending::exited:
      return exit_in_words(*this);
    case Ending::crashed:
      return with_reason(crash_in_words(*this), what);
    case Ending::timed_out:
      return with_reason("timed out", what);
    case Ending::out_of_memory:
      return with_reason("out of memory", what);
    case Ending::limit_exceeded:
      return with_reason("limit exceeded", what);
    case Ending::too_large:
      return with_reason("too large", what);
    case Ending::cancelled:
      return with_reason("cancelled", what);
    case Ending::abandoned:
      return with_reason("abandoned", what);
    case Ending::protocol_error:
      return with_reason("protocol error", what);
    case Ending::not_serializable:
      return with_reason("not serializable", what);
  }
  return with_reason("unknown ending", what);
}

namespace detail {

const Failure& undecided() noexcept {
  static const Failure failure{.ending = Ending::abandoned, .type = {}, .what = {}, .backtrace = {}};
  return failure;
}

}  // namespace detail
}  // namespace bulkhead
