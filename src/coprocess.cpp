#include <bulkhead/coprocess.hpp>

#include <bulkhead/detail/service_thread.hpp>
#include <bulkhead/work_clock.hpp>

#include "os/descendants.hpp"
#include "os/dialogue.hpp"
#include "os/lifeline.hpp"
#include "os/reading_watch.hpp"
#include "os/terminate_watch.hpp"
#include "os/tree_usage.hpp"
#include "program_image.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <span>
#include <vector>

namespace bulkhead {

namespace {

using Clock = WorkClock;
constexpr Clock::time_point never = Clock::time_point::max();

std::optional<std::chrono::nanoseconds> until(Clock::time_point deadline) {
  if (deadline == never) return std::nullopt;
  return std::max<std::chrono::nanoseconds>(deadline - Clock::now(), std::chrono::nanoseconds(0));
}

}  // namespace

// One run of the program, from its start to its end.
class Coprocess::Program {
  // Between two answers nobody waits for the coordinator's end: a thread does, all the time.
  class Guardian {
   public:
    Guardian() {
      if (watch_.descriptor() >= 0) thread_.emplace([this] { serve(); });
    }
    ~Guardian() {
      quit_.notify();
      thread_.reset();  // before the watch is given up
    }
    Guardian(const Guardian&) = delete;
    Guardian& operator=(const Guardian&) = delete;

   private:
    void serve() {
      if (!os::wait_for_either(watch_.descriptor(), quit_.fd().get())) return;
      os::kill_all_children();
      os::leave_at_once(1);
    }

    os::LifelineWatch watch_;
    os::WakeUp quit_;
    std::optional<detail::ServiceThread> thread_;
  };

 public:
  explicit Program(const Command& command) : command_(command), streams_(command.error, command.on_lines) {
    if (command.limits.output != 0) streams_.keep_at_most(command.limits.output);
    if (!command.owns_children) return;
    os::adopt_orphans();
    guardian_.emplace();
  }
  ~Program() { static_cast<void>(end()); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Returns errno; 0: it runs.
  int start() {
    if (const int error = prepare(command_, prepared_); error != 0) return error;
    streams_.give_to(prepared_.image);
    program_ = os::spawn(prepared_.image);
    if (program_.pid == 0) return prepared_.problem = program_.problem, program_.error;
    os::spare_child(program_.child());  // it outlives the task that started it
    streams_.forget_its_ends();
    reading_ = os::ReadingWatch(program_.pid);
    return 0;
  }

  /// More words on that; may be empty.
  const std::string& problem() const noexcept { return prepared_.problem; }

  void ask(std::string_view record, const StopRequest& stop, Answer& answer) {
    line_.assign(record);
    line_ += '\n';
    streams_.count_anew();
    const bool waits = served_ && reading_.is_reading();  // then all it will say by itself has been said
    streams_.drain();                                     // what it said since the last answer
    answer.ending = AnswerEnding::answered;
    if (!streams_.heard().empty()) {
      out_of_step_ = true;
      answer.ending = AnswerEnding::unasked;
      return;
    }
    if (served_ && command_.limits.cpu_time.count() > 0) cpu_before_ = os::usage_of(tree()).cpu_time;
    streams_.send(line_, served_ && !waits);
    listen(stop, answer);
    if (answer.ending == AnswerEnding::answered) look_at_limits(answer);
    if (answer.ending == AnswerEnding::answered) served_ = true;
  }

  /// It went wrong before the record could have had a part in it.
  bool innocent(const Answer& answer) const {
    const bool early = answer.ending == AnswerEnding::unasked || answer.ending == AnswerEnding::died ||
                       answer.ending == AnswerEnding::no_answer;
    return early && served_ && (out_of_step_ || streams_.took_nothing());
  }

  /// Ends it, if it has not ended, and everything it left; says how in `answer` if that is how asking ended.
  void end_for(Answer& answer) {
    const os::ExitStatus status = end(answer.ending != AnswerEnding::died, answer.limit.kind == LimitKind::memory);
    if (answer.ending != AnswerEnding::died || !status.known) return;
    answer.leaked = leaked_;  // of one that was ended nobody expects that it cleans up
    if (status.signaled)
      answer.signal = status.number;
    else
      answer.exit_code = status.number;
    constexpr int shell_adds = 128;
    const std::uint64_t most = command_.limits.file_size;
    if (most != 0 && (answer.signal == SIGXFSZ || answer.exit_code == shell_adds + SIGXFSZ))
      answer.limit = {LimitKind::file_size, 0, most};
  }

  ByteRange error_range() { return streams_.take_error_range(); }

  /// Lets it come to its own end: there is no more for it.
  void dismiss() {
    if (program_.pid == 0) return;
    streams_.close_input();
    wait_for_end(Clock::now() + end_steps_of(command_).front().wait);
  }

 private:
  // Until the one line is there, or something that is not it.
  void listen(const StopRequest& stop, Answer& answer) {
    const os::StopDescriptor stopped(stop);
    const auto deadline = command_.timeout.count() > 0 ? Clock::now() + command_.timeout : never;
    std::size_t looked_at = 0;
    for (;;) {
      const std::string& heard = streams_.heard();
      const std::size_t newline = heard.find('\n', looked_at);
      if (newline != std::string::npos && streams_.holds_back()) out_of_step_ = true;
      if (newline != std::string::npos) return take_answer(newline, answer);
      looked_at = heard.size();
      if (looked_at > longest_answer) return conclude(answer, AnswerEnding::too_long);
      if (streams_.output_closed()) return silent(answer);
      const os::ProgramEvents events =
          streams_.wait(program_.pidfd.get(), stopped.number(), -1, until(std::min(deadline, next_look())));
      if (events.store_error != 0) {
        answer.start_error = events.store_error;
        return conclude(answer, AnswerEnding::output_lost);
      }
      if (events.stop) return conclude(answer, AnswerEnding::cancelled);
      if (events.ended) {
        streams_.drain();  // its last words may be the answer
        if (streams_.heard().find('\n', looked_at) == std::string::npos) return conclude(answer, AnswerEnding::died);
      } else if (deadline != never && Clock::now() >= deadline) {
        return conclude(answer, AnswerEnding::timed_out);
      } else {
        look_at_limits(answer);
        if (answer.ending != AnswerEnding::answered) return;
      }
    }
  }

  bool looks_at_usage() const { return command_.limits.memory != 0 || command_.limits.cpu_time.count() > 0; }
  Clock::time_point next_look() const { return looks_at_usage() ? next_look_ : never; }

  std::vector<int> tree() const { return os::tree_of(program_, command_.owns_children); }

  void look_at_limits(Answer& answer) {
    const CommandLimits& limits = command_.limits;
    if (limits.output != 0 && streams_.received() > limits.output)
      return beyond(answer, {LimitKind::output, streams_.received(), limits.output});
    if (!looks_at_usage() || Clock::now() < next_look_) return;
    next_look_ = Clock::now() + look_interval;
    const os::TreeUsage usage = os::usage_of(tree());
    if (limits.memory != 0 && usage.private_memory > limits.memory)
      return beyond(answer, {LimitKind::memory, usage.private_memory, limits.memory});
    const std::chrono::nanoseconds used = usage.cpu_time - std::min(usage.cpu_time, cpu_before_);
    const std::chrono::nanoseconds most = limits.cpu_time;
    if (most.count() > 0 && used >= most)
      beyond(answer,
             {LimitKind::cpu_time, static_cast<std::uint64_t>(used.count()), static_cast<std::uint64_t>(most.count())});
  }

  static void beyond(Answer& answer, const LimitHit& hit) {
    answer.limit = hit;
    answer.text.clear();
    conclude(answer, AnswerEnding::limit_exceeded);
  }

  static void conclude(Answer& answer, AnswerEnding ending) { answer.ending = ending; }

  void take_answer(std::size_t newline, Answer& answer) {
    std::string& heard = streams_.heard();
    const std::size_t untaken = streams_.untaken();
    if (untaken == line_.size()) out_of_step_ = true;
    streams_.drain();  // its standard error, written before the answer, and whatever follows the answer
    answer.text = heard.substr(0, newline);
    const bool more = heard.size() > newline + 1;
    heard.clear();
    // Bytes it has not read cannot be what it answers to, and would be read as the next record.
    if (more || untaken > 0) conclude(answer, AnswerEnding::unasked);
  }

  // A program that ends closes its output first: its end tells more.
  void silent(Answer& answer) {
    constexpr std::chrono::milliseconds moment{500};
    conclude(answer, wait_for_end(Clock::now() + moment) ? AnswerEnding::died : AnswerEnding::no_answer);
  }

  bool wait_for_end(Clock::time_point deadline) {
    streams_.drain();
    for (;;) {
      if (streams_.wait(program_.pidfd.get(), -1, -1, until(deadline)).ended) return true;
      streams_.heard().clear();  // nobody listens any more
      if (Clock::now() >= deadline) return false;
    }
  }

  // `at_once`: what is short of memory must not have the time to take more.
  os::ExitStatus end(bool by_force = true, bool at_once = false) {
    if (program_.pid == 0) return {.known = false};
    streams_.close_input();
    if (by_force && !wait_for_end(Clock::now())) {
      const std::vector<EndStep> steps = end_steps_of(command_);
      for (const EndStep& step : std::span(steps).last(at_once ? 1 : steps.size())) {
        os::signal_program(program_, os::tree_of(program_, false), step.signal);
        if (wait_for_end(Clock::now() + step.wait)) break;
      }
    }
    const int child = program_.child();
    const os::FirstProcess::End collected = os::collect(program_, command_.owns_children);
    os::spare_child_no_more(child);
    leaked_ = collected.left_something;
    program_ = {};
    streams_.finish();
    return collected.program.status;
  }

  const Command& command_;
  const os::KeepChildStatuses keep_;
  std::optional<Guardian> guardian_;
  os::Dialogue streams_;
  PreparedProgram prepared_;
  os::Spawned program_;
  os::ReadingWatch reading_;
  std::string line_;
  static constexpr std::chrono::milliseconds look_interval{10};
  Clock::time_point next_look_{};
  std::chrono::nanoseconds cpu_before_{};  // the record in hand
  bool served_ = false, out_of_step_ = false, leaked_ = false;
};

Coprocess::Coprocess(Command command) : command_(std::move(command)) {}
Coprocess::~Coprocess() { finish(); }

void Coprocess::finish() {
  if (program_) program_->dismiss();
  program_.reset();
}

Answer Coprocess::ask(std::string_view record, const StopRequest& stop) {
  Answer answer;
  const auto started = Clock::now();
  answer.started_ns = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
  if (record.find('\n') != record.npos) {
    answer.ending = AnswerEnding::not_a_line;
    return answer;
  }
  for (bool again = true; again;) {
    again = false;
    if (!program_) {
      program_ = std::make_unique<Program>(command_);
      answer.start_error = program_->start();
      if (answer.start_error != 0) {
        answer.ending = AnswerEnding::not_started;
        answer.start_problem = program_->problem();
      }
    }
    if (answer.ending != AnswerEnding::not_started) program_->ask(record, stop, answer);
    if (answer.ending == AnswerEnding::answered) {
      answer.error = program_->error_range();
      break;
    }
    again = program_->innocent(answer);
    program_->end_for(answer);
    answer.error = program_->error_range();
    program_.reset();
    if (again) answer = {.started_ns = answer.started_ns};
  }
  answer.ran_ns = std::chrono::nanoseconds(Clock::now() - started).count();
  return answer;
}

}  // namespace bulkhead
