#include "function_batch.hpp"

#include "batch.hpp"
#include "shell_quote.hpp"

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
  attempt.started = std::chrono::system_clock::now().time_since_epoch() - stats.ran;
  if (result.outcome) {
    attempt.end = TaskEnd::ok;
    attempt.words = "OK";
    attempt.exit_code = 0;
    attempt.result = std::move(*result.outcome) + "\n";
  } else {
    describe(result.outcome.error(), settings.timeout, attempt);
  }
  return attempt;
}

}  // namespace

int function_batch(const Settings& settings, const RecordFunction& function) {
  Batch batch(settings,
              [&](const Task& task, int) { return function.shown_name + " " + shell_quote(joined_record(task)); });
  WorkOptions options = batch.work_options();
  options.task_timeout = settings.timeout;
  options.kill_grace = kill_grace;
  options.max_tasks_per_worker = settings.recycle;
  options.worker_init = function.worker_init;
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
