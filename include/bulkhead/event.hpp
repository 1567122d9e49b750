// One stream of events, many listeners: a display, a job log and a trace all hang off WorkOptions::on_event.
#pragma once

#include <bulkhead/outcome.hpp>
#include <bulkhead/work_statistics.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace bulkhead {

/// What happened. The fields of Event that a kind fills are named beside it; all fill `kind` and `when`.
enum class EventKind : std::uint8_t {
  run_started,     ///< -
  worker_started,  ///< worker, process
  task_started,    ///< task, attempt, worker: first seen in its worker's hands (short tasks: just before they finish)
  task_output,     ///< task, attempt, worker, channel, output: what emit_output() sent, in order
  attempt_lost,    ///< task, attempt, worker, failure: this attempt failed and the task is tried again
  task_finished,   ///< task, attempt, worker, ending, failure (null for a value), stats
  worker_died,     ///< worker, process, failure: it ended without being told to, or badly when told
  worker_left,     ///< worker, process: it ended as it was told to
  worker_refused,  ///< failure: the system grants no further worker now; fewer do the work, and it is asked again
  processes_left,  ///< task, attempt, worker, process, count: descendants that outlived the task, and were ended;
                   ///< attempt 0: not known of which of the worker's last tasks
  fork_server_started,  ///< process: the process that forks the workers, or the guardian of its pid namespace. Late or
                        ///< never with WorkOptions::first_worker_directly
  fork_server_lost,     ///< it was ended by somebody else; the workers go on (Isolation::pid: they ended with it), and
                        ///< another takes its place
  isolation_lacking,  ///< failure: what Isolation::strict cannot guard on this kernel; once for each part, at the start
  quarantined,        ///< task, attempt, worker, failure: it failed in every attempt that it was granted
  heartbeat,          ///< the coordinator looked round: at least every `per_sync_timeout`, and when a signal woke it
  run_finished,       ///< statistics. Not of a process_stream that is destroyed before its end
};

/// Borrowed for the length of the call: copy what you keep.
struct Event {
  EventKind kind{};
  std::chrono::steady_clock::time_point when{};  ///< when the coordinator last came back from waiting
  std::uint64_t task = 0;                        ///< the item's index, from 0
  unsigned attempt = 0;                          ///< from 1
  int worker = 0;                                ///< slot, from 0
  long process = 0;                              ///< the worker's process id (0 for threads)
  Ending ending{};
  int channel = 0;  ///< as given to emit_output()
  std::size_t count = 0;
  std::span<const std::byte> output{};
  const Failure* failure = nullptr;
  TaskStats stats{};
  const WorkStatistics* statistics = nullptr;  ///< of the whole run
};

/// The kind's name as it is spelled above. Never fails.
std::string_view to_string(EventKind kind) noexcept;

}  // namespace bulkhead
