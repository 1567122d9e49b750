#include "runs/coprocess.hpp"

#include "rules/term_sequence.hpp"
#include "runs/batch.hpp"
#include "runs/isolation.hpp"
#include "runs/shown_command.hpp"
#include "words/error_text.hpp"
#include "words/quantity.hpp"
#include "words/shell_quote.hpp"
#include "words/usage_error.hpp"

#include <bulkhead/coprocess.hpp>
#include <bulkhead/signals.hpp>
#include <bulkhead/stop_request.hpp>
#include <bulkhead/task.hpp>
#include <bulkhead/work.hpp>

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace bulkhead::tool {

namespace {

// In the worker: the one co-process that it keeps.
class Asker {
 public:
  Asker(const Settings& settings, Command base, Printer& printer, const std::string& run_id)
      : printer_(printer),
        live_(settings.output == OutputMode::lines),
        recycle_(settings.recycle),
        base_(std::move(base)) {
    base_.arguments = settings.command;
    base_.environment.push_back("BULKHEAD_RUN_ID=" + run_id);
  }

  Answer operator()(const Task& task, const StopRequest& stop) {
    if (!coprocess_) begin(this_task().value_or(ThisTask{}).worker);
    Answer answer = coprocess_->ask(joined_record(task), stop);
    if (recycle_ > 0 && ++asked_ % recycle_ == 0) coprocess_->finish();
    return answer;
  }

  void finish() { coprocess_.reset(); }

 private:
  void begin(int slot) {
    Command command = base_;
    command.environment.push_back(fmt::format("BULKHEAD_SLOT={}", slot + 1));
    if (live_) command.on_lines = [](int channel, std::span<const std::byte> lines) { emit_output(channel, lines); };
    if (printer_.stores()) command.error = &printer_.files(slot).error;
    coprocess_ = std::make_unique<Coprocess>(std::move(command));
  }

  Printer& printer_;
  bool live_;
  std::uint64_t recycle_, asked_ = 0;
  Command base_;
  std::unique_ptr<Coprocess> coprocess_;
};

// A co-process that died: by a signal, or by itself, which may even look like success.
void describe_death(const Answer& answer, Attempt& attempt) {
  attempt.signal = answer.signal;
  attempt.exit_code = answer.exit_code.value_or(-1);
  attempt.worker_died = true;
  if (answer.signal != 0) {
    attempt.end = TaskEnd::crashed;
    attempt.words = "CRASH " + signal_name(answer.signal);
  } else if (answer.exit_code == 0) {
    attempt.words = "NO ANSWER (EXIT 0)";
  } else {
    attempt.words = "EXIT " + (answer.exit_code ? std::to_string(*answer.exit_code) : std::string("unknown"));
  }
}

void describe_limit(const Answer& answer, Attempt& attempt) {
  attempt.signal = answer.signal;
  attempt.exit_code = answer.exit_code.value_or(-1);
  attempt.worker_died = answer.ending == AnswerEnding::died;  // the others were ended by us
  describe(answer.limit, attempt);
}

void describe(Answer& answer, const Settings& settings, Attempt& attempt) {
  attempt.started = std::chrono::nanoseconds(answer.started_ns);
  attempt.ran = std::chrono::nanoseconds(answer.ran_ns);
  attempt.error = answer.error;
  attempt.leaked = answer.leaked;
  attempt.end = TaskEnd::failed;
  if (answer.limit) return describe_limit(answer, attempt);
  switch (answer.ending) {
    case AnswerEnding::answered:
      attempt.end = TaskEnd::ok;
      attempt.words = "OK";
      attempt.exit_code = 0;
      attempt.result = std::move(answer.text) + "\n";
      return;
    case AnswerEnding::not_a_line:
      attempt.words = "NEWLINE IN RECORD: a co-process takes one line a record";
      return;
    case AnswerEnding::not_started:
      attempt.words =
          "CANNOT RUN: " + (answer.start_problem.empty() ? describe_error(answer.start_error) : answer.start_problem);
      attempt.worker_died = true;
      return;
    case AnswerEnding::limit_exceeded:  // told above
      return;
    case AnswerEnding::died:
      describe_death(answer, attempt);
      return;
    case AnswerEnding::no_answer:
      attempt.words = "NO ANSWER";
      return;
    case AnswerEnding::unasked:
      attempt.words = "ANSWERED TWICE";
      return;
    case AnswerEnding::too_long:
      attempt.words = fmt::format("ANSWER TOO LONG: more than {} bytes", Coprocess::longest_answer);
      return;
    case AnswerEnding::timed_out:
      attempt.end = TaskEnd::timed_out;
      attempt.words = "TIMEOUT " + format_duration(settings.timeout);
      return;
    case AnswerEnding::cancelled:
      attempt.end = TaskEnd::left_over;
      attempt.words = "STOPPED";
      return;
    case AnswerEnding::output_lost:
      attempt.words = "OUTPUT LOST: " + describe_error(answer.start_error);
      return;
  }
}

// With all that the program needs to be what it was; limits are not part of that.
std::string shown_program(const Settings& settings) {
  std::string text = "bulkhead coprocess";
  if (!settings.directory.empty()) text += " --cwd " + shell_quote(settings.directory);
  if (settings.clear_environment) text += " --clear-env";
  for (const std::string& assignment : settings.environment) text += " --env " + shell_quote(assignment);
  text += " --";
  for (const std::string& word : settings.command) text += " " + shell_quote(word);
  return text;
}

Attempt attempt_of(Indexed<Answer>& result, const Settings& settings, Printer& printer) {
  Attempt attempt;
  attempt.slot = result.outcome.stats().worker;
  if (result.outcome) {
    describe(*result.outcome, settings, attempt);
  } else {
    describe(result.outcome.error(), settings.timeout, settings.limits, attempt);
    attempt.ran = result.outcome.stats().ran;
    if (result.outcome.stats().attempts > 0) printer.claim_rest(attempt);
  }
  return attempt;
}

}  // namespace

int coprocess(const Settings& settings) {
  if (settings.command.empty())
    throw UsageError("coprocess: name a program that answers each line with a line, like: bulkhead coprocess ./score");
  const std::string shown = shown_program(settings);
  Command base = program_command(settings);
  const std::vector<std::string> unguarded = isolate(settings, base);
  Batch batch(settings, [&](const Task& task, int) { return command_of(shown, task); });
  for (const std::string& gap : unguarded) batch.console().say("--isolate strict: " + gap);

  Asker asker(settings, std::move(base), batch.printer(), batch.run_id());
  WorkOptions options = batch.work_options();
  options.isolation = Isolation::contained;  // of the workers: it is each co-process that is isolated
  // The co-process' keeper keeps the time; this is for a keeper that cannot.
  if (settings.timeout.count() > 0)
    options.task_timeout = settings.timeout + whole_wait(settings.end_steps) + std::chrono::seconds(2);
  if (settings.crash_limit > 0) options.prefetch = 0;  // a record that is dealt already would be asked after the limit
  options.max_result_bytes = Coprocess::longest_answer + (1u << 20);
  options.worker_exit = [&] { asker.finish(); };
  const auto ask = [&asker](const Task& task, const StopRequest& stop) { return asker(task, stop); };
  return batch.drive([&] { return process_stream(batch.source().tasks(), ask, options); },
                     [&](auto& result) { return attempt_of(result, settings, batch.printer()); });
}

}  // namespace bulkhead::tool
