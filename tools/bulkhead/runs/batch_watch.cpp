// What a run hears while it goes on: events of the library, signals, the clock, whoever reads its output.
#include "runs/batch.hpp"

#include "rules/term_sequence.hpp"
#include "words/quantity.hpp"
#include "words/shell_quote.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace bulkhead::tool {

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
  running_tasks_[static_cast<std::size_t>(event.worker)] = {event.task,
                                                            Clock::time_point(event.when.time_since_epoch()), true};
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

}  // namespace bulkhead::tool
