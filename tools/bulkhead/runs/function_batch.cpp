#include "runs/function_batch.hpp"

#include "output/last_words.hpp"
#include "rules/term_sequence.hpp"
#include "runs/batch.hpp"
#include "words/shell_quote.hpp"

#include <bulkhead/work.hpp>

#include <chrono>
#include <utility>

namespace bulkhead::tool {

namespace {

Attempt attempt_of(Indexed<std::string>& result, const Settings& settings) {
  Attempt attempt;
  const TaskStats stats = result.outcome.stats();
  attempt.slot = stats.worker;
  attempt.ran = stats.ran;
  attempt.max_rss = stats.peak_rss;
  attempt.started = std::chrono::system_clock::now().time_since_epoch() - stats.ran;
  if (result.outcome) {
    attempt.end = TaskEnd::ok;
    attempt.words = "OK";
    attempt.exit_code = 0;
    attempt.result = std::move(*result.outcome) + "\n";
  } else {
    describe(result.outcome.error(), settings.timeout, settings.limits, attempt);
    attempt.error_tail = last_lines(result.outcome.error().stderr_tail);
  }
  return attempt;
}

}  // namespace

int function_batch(const Settings& settings, const RecordFunction& function) {
  Batch batch(settings,
              [&](const Task& task, int) { return function.shown_name + " ::: " + shell_quote(joined_record(task)); });
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
  const auto call = [&](const Task& task) { return function.call(joined_record(task)); };
  return batch.drive([&] {
    for (auto&& result : process_stream(batch.source().tasks(), call, options)) {
      Attempt attempt = attempt_of(result, settings);
      attempt.task = batch.source().take(result.index);
      batch.settle(std::move(attempt));
    }
  });
}

}  // namespace bulkhead::tool
