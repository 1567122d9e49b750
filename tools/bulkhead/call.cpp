#include "call.hpp"

#include "batch.hpp"
#include "shell_quote.hpp"
#include "term_sequence.hpp"
#include "usage_error.hpp"

#include <bulkhead/plugin_loader.hpp>
#include <bulkhead/work.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace bulkhead::tool {

namespace {

struct FunctionName {
  std::string plugin, function;  // the function may be empty: the only one
};

FunctionName name_of(const Settings& settings) {
  if (settings.command.size() != 1)
    throw UsageError(settings.command.empty() ? "call: name a plugin, like ./square.so or ./square.so:square"
                                              : "call: one plugin and nothing else; values stand behind :::");
  const std::string& word = settings.command.front();
  const std::size_t colon = word.rfind(':');
  const bool path_only = colon == std::string::npos || word.find('/', colon) != std::string::npos;
  return path_only ? FunctionName{word, {}} : FunctionName{word.substr(0, colon), word.substr(colon + 1)};
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Asks a plugin for its functions, in a process of its own: its constructors may crash.
std::vector<std::string> offered_by(const std::string& plugin) {
  const auto ask = [](const std::string& path) { return LoadedPlugin(path).names(); };
  const auto answers = do_process_work(std::vector<std::string>{plugin}, ask,
                                       {.num_workers = 1, .task_timeout = std::chrono::seconds(30)});
  if (answers.front()) return *answers.front();
  const Failure& failure = answers.front().error();
  if (failure.ending == Ending::exception) throw UsageError("call: " + failure.what);
  throw UsageError(fmt::format("call: {} cannot be loaded: {}", plugin, failure.describe()));
}

FunctionName resolve(FunctionName name) {
  const std::vector<std::string> offered = offered_by(name.plugin);
  if (offered.empty())
    throw UsageError("call: " + name.plugin + " offers no function; make one with BULKHEAD_FUNCTION");
  if (name.function.empty()) {
    if (offered.size() > 1)
      throw UsageError(fmt::format("call: {} offers {}; name one of them: bulkhead call {}:{}", name.plugin,
                                   listed(offered), name.plugin, offered.front()));
    name.function = offered.front();
  } else if (std::find(offered.begin(), offered.end(), name.function) == offered.end()) {
    throw UsageError(
        fmt::format("call: {} has no function {}; it offers {}", name.plugin, name.function, listed(offered)));
  }
  return name;
}

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
  }
  return attempt;
}

}  // namespace

int call(const Settings& settings) {
  const FunctionName name = resolve(name_of(settings));
  const std::string shown_name = name.plugin + ":" + name.function;
  Batch batch(settings, [&](const Task& task, int) { return shown_name + " " + shell_quote(joined_record(task)); });

  std::unique_ptr<LoadedPlugin> plugin;  // stays empty here: every worker loads its own
  WorkOptions options = batch.work_options();
  options.task_timeout = settings.timeout;
  options.kill_grace = whole_wait(settings.end_steps);
  options.memory_limit = settings.limits.memory;
  options.cpu_time = settings.limits.cpu_time;
  options.file_size = settings.limits.file_size;
  options.open_files = settings.limits.open_files;
  if (settings.limits.output != 0) options.max_result_bytes = settings.limits.output;
  options.worker_init = [&] {
    plugin = std::make_unique<LoadedPlugin>(name.plugin);
    plugin->select(name.function);
  };
  const auto function = [&](const Task& task) { return plugin->call(joined_record(task)); };
  return batch.drive([&] {
    for (auto&& result : process_stream(batch.source().tasks(), function, options)) {
      Attempt attempt = attempt_of(result, settings);
      attempt.task = batch.source().take(result.index);
      batch.settle(std::move(attempt));
    }
  });
}

}  // namespace bulkhead::tool
