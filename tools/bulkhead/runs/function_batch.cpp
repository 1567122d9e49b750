#include "runs/function_batch.hpp"

#include "output/last_words.hpp"
#include "rules/term_sequence.hpp"
#include "runs/batch.hpp"
#include "runs/isolation.hpp"
#include "runs/shown_command.hpp"

#include <bulkhead/work.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace bulkhead::tool {

namespace {

constexpr std::uint64_t most_respawns = 1'000'000;

Attempt attempt_of(Indexed<std::string>& result, const Settings& settings) {
  Attempt attempt;
  const TaskStats stats = result.outcome.stats();
  attempt.slot = stats.worker;
  attempt.ran = stats.ran;
  attempt.max_rss = stats.peak_rss;
  if (result.outcome) {
    attempt.end = TaskEnd::ok;
    attempt.words = "OK";
    attempt.exit_code = 0;
    attempt.result = std::move(*result.outcome);
  } else {
    describe(result.outcome.error(), settings.timeout, settings.limits, attempt);
    attempt.error_tail = last_lines(result.outcome.error().stderr_tail);
  }
  return attempt;
}

}  // namespace

int function_batch(const Settings& settings, const RecordFunction& function) {
  try_isolation_of_workers(settings);
  Batch batch(settings, [&](const Task& task, int) { return command_of(function.shown_name, task); });
  if (function.runs_alone) batch.note_commands();
  WorkOptions options = batch.work_options();
  options.task_timeout = settings.timeout;
  options.kill_grace = whole_wait(settings.end_steps);
  options.memory_limit = settings.limits.memory;
  options.cpu_time = settings.limits.cpu_time;
  options.file_size = settings.limits.file_size;
  options.open_files = settings.limits.open_files;
  if (settings.limits.output != 0) options.max_result_bytes = settings.limits.output;
  options.max_tasks_per_worker = settings.recycle;
  options.worker_init = function.worker_init;
  options.stderr_tail = most_last_bytes;
  options.worker_exit = function.worker_exit;
  // A worker that dies before its first record is no record's failure. However long each takes to begin: what counts is
  // that nothing is done in between.
  options.respawn.period = std::chrono::hours(24);
  if (settings.crash_limit > 0)
    options.respawn.limit = static_cast<unsigned>(std::min<std::uint64_t>(settings.crash_limit - 1, most_respawns));
  const auto call = [&](const Task& task) {  // the line that it prints; empty: none
    std::optional<std::string> line = function.call(task.fields);
    return line ? *std::move(line) += '\n' : std::string();
  };
  return batch.drive([&] { return process_stream(batch.source().tasks(), call, options); },
                     [&](auto& result) { return attempt_of(result, settings); });
}

}  // namespace bulkhead::tool
