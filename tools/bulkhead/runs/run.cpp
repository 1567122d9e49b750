#include "runs/run.hpp"

#include "records/template.hpp"
#include "rules/term_sequence.hpp"
#include "runs/batch.hpp"
#include "runs/isolation.hpp"
#include "words/run_id.hpp"
#include "words/shell_quote.hpp"
#include "words/usage_error.hpp"

#include <bulkhead/byte_sink.hpp>
#include <bulkhead/command.hpp>
#include <bulkhead/signals.hpp>
#include <bulkhead/stop_request.hpp>
#include <bulkhead/task.hpp>
#include <bulkhead/work.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>
#include <utility>

namespace bulkhead::tool {

namespace {

Values values_of(const Task& task, int slot) {
  return {.fields = task.fields, .sequence = task.sequence, .slot = slot + 1};
}

// A record of --input jsonl that says nothing that could be run: its own failure.
struct NotATask : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// In the worker: makes the command of a task and sees it through.
class CommandRunner {
 public:
  CommandRunner(const Settings& settings, Command base, const CommandTemplate& command, Printer& printer,
                const MedianTimeout& median, std::string run_id)
      : base_(std::move(base)),
        command_(command),
        printer_(printer),
        median_(median),
        live_(settings.output == OutputMode::lines),
        run_id_(std::move(run_id)) {}

  CommandResult operator()(const Task& task, const StopRequest& stop) const {
    if (!task.extras().problem.empty()) throw NotATask("no task: " + task.extras().problem);
    const int slot = this_task().value_or(ThisTask{}).worker;
    Command command = base_;
    command.arguments = command_.arguments(values_of(task, slot));
    command.input = task.extras().input;
    command.environment.insert(command.environment.end(), task.extras().environment.begin(),
                               task.extras().environment.end());
    command.environment.push_back(fmt::format("BULKHEAD_SEQ={}", task.sequence));
    command.environment.push_back(fmt::format("BULKHEAD_SLOT={}", slot + 1));
    command.environment.push_back(fmt::format("BULKHEAD_ATTEMPT={}", task.attempt));
    command.environment.push_back("BULKHEAD_RUN_ID=" + run_id_);
    if (live_) command.on_lines = [](int channel, std::span<const std::byte> lines) { emit_output(channel, lines); };
    if (printer_.stores()) {
      command.output = &printer_.files(slot).output;
      command.error = &printer_.files(slot).error;
    }
    if (median_.wanted()) command.current_timeout = [this] { return median_.current(); };
    return run_command(command, stop);
  }

 private:
  Command base_;
  const CommandTemplate& command_;
  Printer& printer_;
  const MedianTimeout& median_;
  bool live_;
  std::string run_id_;
};

// "ls -l" as one word is no program: most likely a shell command without -c.
void refuse_sentence(const Settings& settings) {
  if (settings.shell || settings.command.size() != 1) return;
  const std::string& word = settings.command.front();
  if (word.find(' ') == std::string::npos) return;
  std::error_code ignored;
  const std::string program = find_program(word);
  if (!program.empty() && std::filesystem::exists(program, ignored)) return;
  throw UsageError(fmt::format(
      "there is no program named \"{}\"; for a shell command line add -c: bulkhead run -c '{}'", word, word));
}

void refuse_missing_sources(const Settings& settings, const CommandTemplate& command) {
  const std::size_t sources = settings.sources.size();
  const std::size_t highest = command.highest_position();
  const bool known = settings.tasks.records_per_task == 1 && !settings.column_separator && !settings.tasks.jsonl;
  if (known && highest > sources)
    throw UsageError(fmt::format("{{{}}} stands for input source {}, and there {} {}", highest, highest,
                                 sources == 1 ? "is only" : "are only", sources));
}

// -X: what the records of one task may take together.
std::size_t budget_for_records(const Settings& settings, const CommandTemplate& command) {
  constexpr std::size_t longest_word = 128 << 10, variables_of_ours = 512;
  Command program;
  program.environment = settings.environment;
  program.clear_environment = settings.clear_environment;
  const std::size_t room = settings.shell ? longest_word : room_for_arguments(program);
  const std::size_t taken = command.own_cost() + variables_of_ours;
  return room > taken ? room - taken : 1;
}

int print_commands(const Settings& settings, const CommandTemplate& command, RecordStream records) {
  constexpr int reader_gone = 141;
  const SignalWatch signals;  // for SIGPIPE: a reader that has gone is told by the write
  TaskSource source(std::move(records), settings.tasks);
  ByteSink output = ByteSink::standard_output();
  std::size_t index = 0;
  for (const Task& task : source.tasks()) {
    if (signals.stops() > 0) return 128 + signals.first_stop();
    const std::string shown = task.extras().problem.empty() ? command.shown(values_of(task, 0))
                                                            : "# not a task: " + printable(task.extras().problem);
    if (!output.write(shown + "\n")) return reader_gone;
    source.take(index++);
  }
  if (source.read_error().empty()) return 0;
  throw UsageError(source.read_error());
}

Attempt attempt_of(const Indexed<CommandResult>& result, const Settings& settings, Printer& printer) {
  Attempt attempt;
  attempt.slot = result.outcome.stats().worker;
  if (result.outcome) {
    describe(*result.outcome, settings.timeout, attempt);
  } else {
    describe(result.outcome.error(), settings.timeout, settings.limits, attempt);
    attempt.ran = result.outcome.stats().ran;
    if (result.outcome.stats().attempts > 0) printer.claim_rest(attempt);
  }
  return attempt;
}

}  // namespace

int run(const Settings& given) {
  Settings settings = given;
  refuse_sentence(settings);
  RecordStream records(settings.sources, record_rules(settings));
  const CommandTemplate command(settings.command, {.shell = settings.shell,
                                                   .replace = settings.replace,
                                                   .columns = records.columns(),
                                                   .record_is_argv = settings.tasks.jsonl,
                                                   .repeat_words = settings.fill_command_line});
  refuse_missing_sources(settings, command);
  if (settings.fill_command_line) {
    settings.tasks.budget = budget_for_records(settings, command);
    settings.tasks.cost = [&](const std::vector<std::string>& fields) { return command.cost_of(fields); };
  }
  if (settings.dry_run) return print_commands(settings, command, std::move(records));
  const auto shown = [&](const Task& task, int slot) {
    return task.extras().problem.empty() ? command.shown(values_of(task, slot)) : joined_record(task);
  };
  Command base = program_command(settings);
  const std::vector<std::string> unguarded = isolate(settings, base);
  Batch batch(settings, shown, std::move(records));
  for (const std::string& gap : unguarded) batch.console().say("--isolate strict: " + gap);

  const CommandRunner runner(settings, std::move(base), command, batch.printer(), batch.median_timeout(),
                             batch.run_id());
  WorkOptions options = batch.work_options();
  options.isolation = Isolation::contained;  // of the workers: it is each program that is isolated
  options.first_worker_directly = true;      // there may be no other
  options.crash_notes = false;               // there is none of the user's code in a worker
  // The runner keeps the time; this is for a runner that cannot.
  if (settings.timeout.count() > 0)
    options.task_timeout = settings.timeout + whole_wait(settings.end_steps) + std::chrono::seconds(1);
  return batch.drive([&] { return process_stream(batch.source().tasks(), runner, options); },
                     [&](auto& result) { return attempt_of(result, settings, batch.printer()); });
}

}  // namespace bulkhead::tool
