#include "runs/batch.hpp"

#include "logs/listeners.hpp"
#include "logs/resuming.hpp"
#include "logs/written_files.hpp"
#include "output/statistics.hpp"
#include "rules/admission.hpp"
#include "rules/term_sequence.hpp"
#include "words/quantity.hpp"
#include "words/shell_quote.hpp"

#include <bulkhead/command.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace bulkhead::tool {

namespace {

// Thrown through the stream, which then ends every worker at once.
struct KilledByUser {};  // the second Ctrl-C
struct NothingLeft {};   // no more tasks are wanted and none is out: the input need not be waited for

constexpr std::chrono::milliseconds look_round_interval{100};

TaskRules with_admission(const Settings& settings, Console& console) {
  TaskRules rules = settings.tasks;
  rules.keep_texts = !settings.quarantine.empty();
  rules.admits = admission(settings.most_load, settings.free_memory, [&](const std::string& why) {
    if (!settings.quiet) console.say(why);
  });
  return rules;
}

// Nothing is read for this unless there is a header.
Settings with_columns(Settings settings, RecordStream& records) {
  settings.columns = records.columns();
  return settings;
}

}  // namespace

Batch::Batch(const Settings& settings, Shown shown)
    : Batch(settings, std::move(shown), RecordStream(settings.sources, record_rules(settings))) {}

Batch::Batch(const Settings& settings, Shown shown, RecordStream records)
    : settings_(with_columns(settings, records)),
      shown_(std::move(shown)),
      console_(settings),
      printer_(settings_, console_),
      median_timeout_(settings.timeout_percent),
      source_(std::move(records), with_admission(settings, console_)) {
  refuse_to_write_what_is_read(settings_);
  if (!settings.joblog.empty()) joblog_.emplace(settings.joblog);
  if (settings.resume != ResumeMode::none)
    Resuming(settings_, shown_).look_through(source_, [this](const Task& task) { printer_.skip(task.sequence); });
  if (!settings.quarantine.empty()) quarantine_.emplace(settings_, console_);
  listeners_ = make_listeners(settings_, printer_, console_);
}

WorkOptions Batch::work_options() {
  WorkOptions options;
  options.num_workers = settings_.jobs;
  options.preserve_result_ordering = false;
  options.per_sync_timeout = look_round_interval;
  if (settings_.tasks.spacing.count() > 0)
    options.per_sync_timeout = std::min(look_round_interval, settings_.tasks.spacing);
  options.kill_grace = whole_wait(settings_.end_steps) +
                       std::chrono::seconds(1);  // a worker needs the grace for its program, and then a moment
  options.stop = stop_.get_token();
  options.drain = drain_.get_token();
  options.isolation = settings_.isolation;
  options.on_event = [this](const Event& event) { on_event(event); };
  const bool decisions = settings_.halt.when != HaltPolicy::When::never || settings_.tasks.spacing.count() > 0 ||
                         settings_.most_load > 0 || settings_.free_memory > 0;
  if (decisions) options.prefetch = 0;
  return options;
}

void Batch::on_event(const Event& event) {
  switch (event.kind) {
    case EventKind::worker_started:
      processes_[event.worker] = event.process;
      tell([&](RunListener& listener) { listener.worker_started(event.worker, event.process); });
      break;
    case EventKind::worker_died:
      tell([&](RunListener& listener) { listener.worker_died(event.worker, event.process, *event.failure); });
      break;
    case EventKind::task_started:
      on_task_started(event);
      break;
    case EventKind::task_finished:
      if (event.attempt == 0) break;  // it was never started
      if (running_ > 0) --running_;
      if (const auto slot = static_cast<std::size_t>(event.worker); slot < running_tasks_.size())
        running_tasks_[slot].active = false;
      break;
    case EventKind::task_output:
      on_task_output(event);
      break;
    case EventKind::isolation_lacking:
      if (event.failure) console_.say("--isolate strict: " + event.failure->what);
      break;
    default:
      break;
  }
  constexpr auto soon_enough = std::chrono::milliseconds(1);
  if (event.kind != EventKind::heartbeat && event.when - looked_round_ < soon_enough) return;
  looked_round_ = event.when;
  look_round();
}

void Batch::on_task_started(const Event& event) {
  ++running_;
  running_tasks_.resize(std::max(running_tasks_.size(), static_cast<std::size_t>(event.worker) + 1));
  running_tasks_[static_cast<std::size_t>(event.worker)] = {event.task, Clock::now(), true};
  if (!settings_.verbose && listeners_.empty()) return;
  const Task& task = source_.at(event.task);
  const TaskStart start{task, event.worker, processes_[event.worker], shown_(task, event.worker)};
  if (settings_.verbose) console_.print(printable(start.command, 1 << 16) + "\n");
  if (!listeners_.empty()) process_of_task_[task.sequence] = start.process;
  tell([&](RunListener& listener) { listener.task_started(start); });
}

void Batch::on_task_output(const Event& event) {
  constexpr int standard_error = 2;
  const Task& task = source_.at(event.task);
  const std::string_view lines(reinterpret_cast<const char*>(event.output.data()), event.output.size());
  if (event.channel == standard_error) last_words_.note(task.sequence, lines);
  if (end_.write_failed) return;
  try {
    printer_.pass_lines(task, event.worker, event.channel, lines);
  } catch (const std::system_error& error) {
    write_failed(error.what());
  }
  let_output_flow();
}

void Batch::tell(const std::function<void(RunListener&)>& what) {
  for (std::unique_ptr<RunListener>& listener : listeners_) {
    if (!listener) continue;
    try {
      what(*listener);
    } catch (const std::system_error& error) {
      listener.reset();  // half a line may stand there: nothing must follow it
      write_failed(error.what());
    }
  }
}

void Batch::look_round() {
  obey();
  if (Clock::now() - logs_checked_ >= std::chrono::seconds(1)) check_logs();
  let_output_flow();
  console_.show({.done = tally_.finished() + source_.skipped(),
                 .failed = tally_.unsuccessful(),
                 .running = running_,
                 .total = source_.total(),
                 .elapsed = Clock::now() - started_});
  if (source_.closed() && source_.outstanding() == 0) throw NothingLeft();
}

// False once the run is being stopped.
bool Batch::obey() {
  obey_signals();
  obey_deadline();
  return !stopping_;
}

void Batch::obey_deadline() {
  if (settings_.deadline.count() == 0 || stopping_ || Clock::now() - started_ < settings_.deadline) return;
  end_.deadline = true;
  console_.say("--deadline: the time is up");
  stop_now();
}

void Batch::let_output_flow() try { output_flow_.go_on(); } catch (const std::system_error& error) {
  write_failed(error.what());
}

// At the end: what is finished is delivered, unless nobody takes it and the run is to stop.
void Batch::drain() try {
  if (const std::uint64_t lost = output_flow_.finish(whole_wait(settings_.end_steps)); lost > 0)
    console_.say(fmt::format("nobody read the last {} of output", format_size(lost)));
} catch (const std::system_error& error) {
  write_failed(error.what());
}

void Batch::obey_signals() {
  if (std::exchange(lists_seen_, signals_.lists()) != signals_.lists()) list_running();
  if (signals_.stops() > 0 && end_.signal == 0) {
    end_.signal = signals_.first_stop();
    stop_now();
    if (!settings_.quiet)
      console_.say(fmt::format("stopping: what runs has {} to end; once more to kill it now",
                               format_duration(whole_wait(settings_.end_steps))));
  }
  if (signals_.stops() > 1) throw KilledByUser();
  if (signals_.hung_up() && !source_.closed()) stop_starting();
}

// USR1: what runs now, for a person who wonders.
void Batch::list_running() {
  console_.say(fmt::format("{} running, {} done", running_, tally_.finished()));
  for (std::size_t slot = 0; slot < running_tasks_.size(); ++slot) {
    const Running& running = running_tasks_[slot];
    if (!running.active) continue;
    const Task& task = source_.at(running.index);
    console_.print(fmt::format("  #{} in slot {} for {}: {}\n", task.sequence, slot + 1,
                               describe_duration(Clock::now() - running.since),
                               printable(shown_(task, static_cast<int>(slot)))));
  }
}

void Batch::stop_starting() {
  drain_.request_stop();
  for (const Task& task : source_.close())
    if (auto node = retrying_.extract(task.sequence)) conclude(node.mapped());
}

void Batch::stop_now() {
  stopping_ = true;
  stop_starting();
  stop_.request_stop();
}

bool Batch::may_retry(const Attempt& attempt) const {
  return settings_.retry_on.covers(attempt.end, attempt.exit_code) && attempt.task.attempt <= settings_.retries &&
         !source_.closed();
}

std::chrono::milliseconds Batch::pause_before(unsigned next_attempt) {
  if (settings_.retry_delay.count() == 0) return std::chrono::milliseconds(0);
  auto pause = settings_.retry_delay;
  for (unsigned i = 2; i < next_attempt && pause < settings_.max_retry_delay; ++i) pause *= 2;
  pause = std::min(pause, settings_.max_retry_delay);
  return pause + std::chrono::milliseconds(random_() % static_cast<std::uint64_t>(pause.count() / 4 + 1));
}

void Batch::retry(Attempt attempt) {
  ++tally_.retried;
  if (!listeners_.empty()) {
    const std::string command = shown_(attempt.task, attempt.slot);
    tell([&](RunListener& listener) { listener.attempt_lost(attempt, command); });
    if (source_.closed()) {  // it could not be written, which ended the run
      --tally_.retried;
      return conclude(attempt);
    }
  }
  printer_.discard(attempt);
  attempt.dropped = true;
  attempt.output = {};
  attempt.error = {};
  attempt.result.clear();
  source_.again(attempt.task, pause_before(attempt.task.attempt + 1));
  retrying_.insert_or_assign(attempt.task.sequence, std::move(attempt));
}

// A record that fails in a living worker is no sign that all will fail; neither is it a success.
void Batch::count_deaths(const Attempt& attempt) {
  if (attempt.end == TaskEnd::ok) deaths_ = 0;
  if (attempt.worker_died) ++deaths_;
  if (settings_.crash_limit == 0 || deaths_ < settings_.crash_limit || end_.halted) return;
  end_.halted = true;
  end_.halt_status = shell_status(attempt);
  console_.say(fmt::format("--crash-limit: workers died {} times in a row and no task succeeded; given up", deaths_));
  stop_now();
}

// Nobody is left to work, which is no task's doing: it is said once, and not for each that is left over.
void Batch::give_up(const std::string& why) {
  if (std::exchange(given_up_, true)) return;
  console_.say(why);
  if (settings_.crash_limit == 0) return stop_starting();
  end_.halted = true;
  end_.halt_status = 1;
  stop_starting();
}

void Batch::settle(Attempt&& attempt) {
  if (!attempt.given_up.empty()) give_up(attempt.given_up);
  if (attempt.started.count() == 0 && (joblog_ || !listeners_.empty()))
    attempt.started = std::chrono::system_clock::now().time_since_epoch() - attempt.ran;
  printer_.account(attempt);
  count_deaths(attempt);
  std::string last_words = last_words_.take(attempt.task.sequence);
  if (attempt.end != TaskEnd::ok && attempt.error_tail.empty())
    attempt.error_tail = last_words.empty() ? printer_.error_tail(attempt) : std::move(last_words);
  name_refused_files(settings_.limits, attempt);
  if (printer_.stores()) attempt.output_bytes = attempt.output.size() + attempt.error.size() + attempt.result.size();
  if (auto node = process_of_task_.extract(attempt.task.sequence)) attempt.process = node.mapped();
  if (may_retry(attempt)) return retry(std::move(attempt));
  retrying_.erase(attempt.task.sequence);
  conclude(attempt);
  if (source_.closed()) look_round();
}

void Batch::conclude(const Attempt& attempt) {
  if (attempt.end == TaskEnd::ok) median_timeout_.add(attempt.ran);
  const std::size_t notes = tally_.notes.size();
  tally_.add(attempt);
  if (notes_commands_ && tally_.notes.size() > notes) {
    constexpr std::size_t longest = 4096;  // nobody types it
    std::string command = shown_(attempt.task, attempt.slot);
    if (command.size() <= longest) tally_.notes.back().command = std::move(command);
  }
  if (!listeners_.empty()) {
    const std::string command = shown_(attempt.task, attempt.slot);
    tell([&](RunListener& listener) { listener.task_finished(attempt, command); });
  }
  try {
    if (quarantine_ && attempt.end == TaskEnd::crashed && !end_.write_failed)
      quarantine_->add(attempt.task, source_.header_text());
    printer_.deliver(attempt);
    // What is logged is never run again, so its output comes first, as far as it goes without waiting for others.
    if (joblog_) console_.pump();
    log(attempt);
  } catch (const std::system_error& error) {
    write_failed(error.what());
  }
  if (attempt.end == TaskEnd::left_over || end_.halted) return;
  if (!should_halt(settings_.halt, tally_.ok, tally_.unsuccessful(), source_.total().value_or(0))) return;
  end_.halted = true;
  end_.halt_status = shell_status(attempt);
  if (settings_.halt.when == HaltPolicy::When::now)
    stop_now();
  else
    stop_starting();
}

void Batch::log(const Attempt& attempt) {
  // One that had attempts left when the run was stopped has not finished: --resume must make them.
  const bool unfinished = attempt.end == TaskEnd::left_over || attempt.dropped;
  if (!joblog_ || end_.write_failed || unfinished) return;
  joblog_->append({.sequence = attempt.task.sequence,
                   .started = attempt.started,
                   .ran = attempt.ran,
                   .received = attempt.output.size() + attempt.result.size(),
                   .exit_code = attempt.exit_code,
                   .signal = attempt.signal,
                   .command = shown_(attempt.task, attempt.slot)});
}

// What cannot be recorded should not be done: nothing more is started, what runs comes to its end.
void Batch::write_failed(const std::string& what) {
  if (end_.write_failed) return;
  end_.write_failed = true;
  try {
    console_.say(what + "; nothing more is started");
  } catch (const std::system_error&) {  // it was standard error
  }
  stop_starting();
}

// What is appended to a file that has lost its name is lost.
void Batch::check_logs() {
  logs_checked_ = Clock::now();
  if (end_.write_failed) return;
  try {
    if (joblog_) joblog_->check_in_place();
    if (quarantine_) quarantine_->check_in_place();
  } catch (const std::system_error& error) {
    write_failed(error.what());
  }
}

int Batch::drive_run(const std::function<void()>& run) {
  constexpr int reader_gone = 141, broken = 70;
  const RunStart start{run_id_, shell_join(settings_.command), settings_.jobs,
                       std::chrono::system_clock::now().time_since_epoch(), settings_.joblog};
  tell([&](RunListener& listener) { listener.run_started(start); });
  try {
    try {
      run();
    } catch (const NothingLeft&) {
    }
    flush();
    drain();
  } catch (const KilledByUser&) {
    console_.give_up();
  } catch (const ReaderGone&) {
    console_.give_up();
    return finish(reader_gone);
  } catch (...) {  // a run that could not go on; who reads the records of it must not wait for the rest
    finish(broken);
    throw;
  }
  return report();
}

void Batch::flush() try { printer_.flush(); } catch (const std::system_error& error) {
  write_failed(error.what());
}

// A file that is not whole must not go unnoticed, so the last word on the status is spoken behind the last write.
int Batch::finish(int status) {
  const bool failed_before = end_.write_failed;
  check_logs();
  const RunFinish last{tally_, Clock::now() - started_, status, statistics_};
  tell([&](RunListener& listener) { listener.run_finished(last); });
  listeners_.clear();
  return end_.write_failed && !failed_before ? exit_status(end_, tally_, settings_.exit_code) : status;
}

int Batch::report() {
  tally_.left_over += source_.outstanding();
  if (source_.total()) {
    const std::uint64_t known = tally_.finished() + tally_.left_over + source_.skipped();
    tally_.left_over += *source_.total() - std::min(*source_.total(), known);
  } else {
    tally_.left_over += source_.held_back();
  }
  tally_.skipped = source_.skipped();
  if (!source_.read_error().empty()) end_.input_failed = true;
  try {
    summarize_run();
    drain();
  } catch (const KilledByUser&) {
  } catch (const std::system_error&) {  // nobody can be told but by the status
    end_.write_failed = true;
  }
  return finish(exit_status(end_, tally_, settings_.exit_code));
}

void Batch::summarize_run() {
  if (end_.input_failed) console_.say(source_.read_error() + "; the records behind it have not been run");
  const bool unread = source_.closed() && !source_.total();
  if (!settings_.quiet) {
    console_.print(
        summarize(tally_, Clock::now() - started_, unread, settings_.joblog, console_.colored(), settings_.program));
    if (settings_.output == OutputMode::ungrouped && !tally_.notes.empty())
      console_.print(
          "  with --ungroup what tasks write to standard error is not kept; --line-buffer repeats its end here\n");
  }
  if (settings_.statistics) console_.print(describe_statistics(statistics_));
}

}  // namespace bulkhead::tool
