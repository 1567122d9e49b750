#include "runs/call.hpp"

#include "command_line/command_line.hpp"
#include "runs/function_batch.hpp"
#include "runs/program_frame.hpp"
#include "words/shell_quote.hpp"
#include "words/usage_error.hpp"

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

int call_with(const Settings& settings) {
  const FunctionName name = resolve(name_of(settings));

  std::unique_ptr<LoadedPlugin> plugin;  // stays empty here: every worker loads its own
  return function_batch(settings, {.shown_name = "bulkhead call " + shell_quote(name.plugin + ":" + name.function),
                                   .call = [&](std::span<const std::string> columns) { return plugin->call(columns); },
                                   .worker_init =
                                       [&] {
                                         plugin = std::make_unique<LoadedPlugin>(name.plugin);
                                         plugin->select(name.function);
                                         plugin->worker_init();
                                       },
                                   .worker_exit = [&] { plugin->worker_exit(); }});
}

}  // namespace

int call(const std::vector<std::string>& words) {
  std::string help;
  const auto settings = parse_command_line(Subcommand::call, words, help);
  return settings ? call_with(*settings) : say(help);
}

}  // namespace bulkhead::tool
