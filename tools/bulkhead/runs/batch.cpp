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

// Who has but one record need not know how many cores there are: to ask takes five files.
std::size_t slots_for(const Settings& settings, const RecordStream& records) {
  const std::uint64_t most = records.total().value_or(UINT64_MAX);
  if (most <= 1) return 1;
  return std::min<std::uint64_t>(settings.jobs ? *settings.jobs : usable_cores(), most);
}

}  // namespace

Batch::Batch(const Settings& settings, Shown shown)
    : Batch(settings, std::move(shown), RecordStream(settings.sources, record_rules(settings))) {}

Batch::Batch(const Settings& settings, Shown shown, RecordStream records)
    : settings_(with_columns(settings, records)),
      shown_(std::move(shown)),
      console_(settings),
      slots_(slots_for(settings_, records)),
      printer_(settings_, slots_, console_),
      median_timeout_(settings.timeout_percent),
      source_(std::move(records), with_admission(settings, console_)) {
  refuse_to_write_what_is_read(settings_);
  if (!settings.joblog.empty()) joblog_.emplace(settings.joblog);
  if (settings.resume != ResumeMode::none)
    Resuming(settings_, slots_, shown_).look_through(source_, [this](const Task& task) {
      printer_.skip(task.sequence);
    });
  if (!settings.quarantine.empty()) quarantine_.emplace(settings_, console_);
  listeners_ = make_listeners(settings_, printer_, console_);
}

WorkOptions Batch::work_options() {
  WorkOptions options;
  options.num_workers = slots_;
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

int Batch::drive_run(const std::function<void()>& run) {
  constexpr int reader_gone = 141, broken = 70;
  const RunStart start{run_id_, shell_join(settings_.command), slots_,
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
