// What becomes of an attempt that has come back: another one, or its task's end, which is printed, logged and told.
#include "runs/batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace bulkhead::tool {

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

void Batch::settle(Attempt& attempt) {
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
  if (!process_of_task_.empty())
    if (auto node = process_of_task_.extract(attempt.task.sequence)) attempt.process = node.mapped();
  if (may_retry(attempt)) return retry(std::move(attempt));
  if (!retrying_.empty()) retrying_.erase(attempt.task.sequence);
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

}  // namespace bulkhead::tool
