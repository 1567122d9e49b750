#include <bulkhead/command.hpp>
#include <bulkhead/work_clock.hpp>

#include "os/descendants.hpp"
#include "os/lifeline.hpp"
#include "os/program_streams.hpp"
#include "os/spawn.hpp"
#include "os/suspension_watch.hpp"
#include "os/terminate_watch.hpp"
#include "os/tree_usage.hpp"
#include "program_image.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace bulkhead {

namespace {

using Clock = WorkClock;

CommandResult not_started(CommandResult result, int error, std::string problem) {
  result.start_error = error;
  result.start_problem = std::move(problem);
  result.exit_code = shell_code(error);
  return result;
}

// Sees one program through: waits for whatever comes first, its end, its output, its time or a request to stop.
class Watch {
 public:
  Watch(const Command& command, const os::Spawned& program, os::ProgramStreams& streams, CommandResult& result)
      : command_(command), program_(program), streams_(streams), result_(result), end_steps_(end_steps_of(command)) {
    if (command.timeout.count() > 0) deadline_ = started_ + command.timeout;
    if (command.limits.memory != 0 || command.limits.cpu_time.count() > 0) next_look_ = started_ + first_look;
    allowed_ = command.timeout;
  }

  void until_it_ends(int stop_descriptor, int parent_descriptor, os::SuspensionWatch& suspensions) {
    for (;;) {
      const int stop = ending_ ? -1 : stop_descriptor;  // once told it stays readable
      const int pidfd = ended_ ? -1 : program_.pidfd.get();
      const os::ProgramEvents events =
          streams_.wait(pidfd, stop, parent_descriptor, suspensions.descriptor(), time_left());
      if (events.suspension) suspensions.follow(parent_descriptor);
      ended_ = ended_ || events.ended;
      if (ended_ && !others_may_finish()) return;
      if (events.parent_gone) {
        os::signal_program(program_, {}, SIGKILL);
        os::kill_all_children();
        os::leave_worker(1);
      }
      if (events.stop && !ending_) {
        result_.cancelled = true;
        end_program();
      }
      if (events.store_error != 0 && result_.output_error == 0) {
        result_.output_error = events.store_error;
        if (!ending_) end_program();
      }
      look_at_output();
      if (Clock::now() >= next_look_) look_at_usage();
      ask_for_timeout();
      if (Clock::now() >= deadline_) out_of_time();
    }
  }

  /// The largest that its processes shared with others, as far as it was looked at.
  std::uint64_t shared_memory() const noexcept { return shared_memory_; }

 private:
  std::optional<std::chrono::nanoseconds> time_left() const {
    Clock::time_point next = std::min(deadline_, next_look_);
    if (ended_) next = std::min(next, Clock::now() + look_interval);  // no descriptor tells the end of the others
    if (command_.current_timeout && !ending_) next = std::min(next, Clock::now() + ask_interval);
    if (next == never) return std::nullopt;
    return std::max<std::chrono::nanoseconds>(next - Clock::now(), std::chrono::nanoseconds(0));
  }

  // Every process that is being ended has the time that the steps give, and not only the one that was started.
  bool others_may_finish() const {
    if (!ending_ || !(command_.owns_children || program_.first)) return false;
    return !(program_.first && killing_) && os::any_lives(tree());
  }

  std::vector<int> tree() const { return os::tree_of(program_, command_.owns_children); }

  void look_at_output() {
    const std::uint64_t most = command_.limits.output;
    if (most != 0 && streams_.received() > most) beyond({LimitKind::output, streams_.received(), most});
  }

  void ask_for_timeout() {
    if (!command_.current_timeout || ending_) return;
    allowed_ = command_.current_timeout();
    deadline_ = allowed_.count() > 0 ? started_ + allowed_ : never;
  }

  void look_at_usage() {
    const auto now = Clock::now();
    // Often while it is young: much of what a short program maps is there by its second millisecond.
    next_look_ = now + std::clamp<Clock::duration>(now - started_, first_look, look_interval);
    const CommandLimits& limits = command_.limits;
    const os::TreeUsage usage = os::usage_of(tree());
    shared_memory_ = std::max(shared_memory_, usage.shared_memory);
    if (limits.memory != 0 && usage.private_memory > limits.memory) {
      step_ = end_steps_.size() - 1;  // what is short of memory must not have the time to take more
      if (ending_) take_step();
      beyond({LimitKind::memory, usage.private_memory, limits.memory});
    }
    const std::chrono::nanoseconds time = limits.cpu_time;
    if (time.count() > 0 && usage.cpu_time >= time)
      beyond({LimitKind::cpu_time, static_cast<std::uint64_t>(usage.cpu_time.count()),
              static_cast<std::uint64_t>(time.count())});
  }

  void beyond(const LimitHit& hit) {
    if (ending_) return;
    result_.limit = hit;
    end_program();
  }

  void out_of_time() {
    if (ending_) return take_step();
    result_.timed_out = true;
    result_.allowed_ns = allowed_.count();
    end_program();
  }

  void end_program() {
    ending_ = true;
    take_step();
  }

  // The last step, KILL, is taken again and again: what was born meanwhile has not been hit.
  void take_step() {
    const EndStep& step = end_steps_[step_];
    const bool last = step_ + 1 == end_steps_.size();
    killing_ = last;
    if (!(ended_ && last && program_.first))
      os::signal_program(program_, tree(), step.signal);  // or how it ended is lost
    deadline_ = Clock::now() + (last ? look_interval : step.wait);
    if (!last) ++step_;
  }

  const Command& command_;
  const os::Spawned& program_;
  os::ProgramStreams& streams_;
  CommandResult& result_;
  const std::vector<EndStep> end_steps_;
  std::size_t step_ = 0;
  static constexpr Clock::time_point never = Clock::time_point::max();
  static constexpr std::chrono::milliseconds first_look{1}, look_interval{10};
  static constexpr std::chrono::milliseconds ask_interval{50};
  const Clock::time_point started_ = Clock::now();
  std::chrono::nanoseconds allowed_{};
  Clock::time_point deadline_ = never, next_look_ = never;
  std::uint64_t shared_memory_ = 0;
  bool ending_ = false, ended_ = false, killing_ = false;
};

// Returns what the program had of memory of its own at most, as far as its end tells.
std::uint64_t collect(const Command& command, os::Spawned& program, CommandResult& result) {
  const auto [reaped, left_something] = os::collect(program, command.owns_children);
  result.leaked = left_something;
  if (reaped.status.known && reaped.status.signaled)
    result.signal = reaped.status.number;
  else if (reaped.status.known)
    result.exit_code = reaped.status.number;
  result.user_ns = reaped.user_time.count();
  result.system_ns = reaped.system_time.count();
  result.max_rss = reaped.max_rss;
  return os::private_part_of(reaped.max_rss, reaped.minor_faults);
}

// Limits whose breach shows at the end only.
LimitHit limit_at_end(const CommandLimits& limits, const CommandResult& result, std::uint64_t received,
                      std::uint64_t private_peak, std::uint64_t shared_memory) {
  constexpr int shell_adds = 128;
  const bool file_too_large = result.signal == SIGXFSZ || result.exit_code == shell_adds + SIGXFSZ;
  if (limits.file_size != 0 && file_too_large) return {LimitKind::file_size, 0, limits.file_size};
  if (limits.output != 0 && received > limits.output) return {LimitKind::output, received, limits.output};
  // A peak between two looks. The kernel's number begins with what this process had when it became the program, and
  // has the pages of mapped files in it: what was seen of them, and what the faults tell, is no memory of its own.
  const std::uint64_t peak = std::min(private_peak, result.max_rss - std::min(shared_memory, result.max_rss));
  if (limits.memory != 0 && peak > limits.memory && result.max_rss > os::own_peak_memory())
    return {LimitKind::memory, peak, limits.memory};
  return {};
}

}  // namespace

CommandResult run_command(const Command& command, const StopRequest& stop) {
  CommandResult result;
  result.started_ns = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();

  PreparedProgram prepared;
  if (const int error = prepare(command, prepared); error != 0) return not_started(result, error, prepared.problem);

  const os::KeepChildStatuses keep;
  if (command.owns_children) os::adopt_orphans();
  os::SuspensionWatch suspensions;  // first: while the other lives, nobody else may stop us
  std::optional<os::LifelineWatch> coordinator;
  if (command.owns_children) coordinator.emplace();
  os::ProgramStreams streams(command.output, command.error, command.on_lines, command.input);
  if (command.limits.output != 0) streams.keep_at_most(command.limits.output);
  streams.give_to(prepared.image);
  const os::StopDescriptor stopped(stop);

  const auto started = Clock::now();
  os::Spawned program = os::spawn(prepared.image);
  if (program.pid == 0) return not_started(result, program.error, program.problem);
  Watch watch(command, program, streams, result);
  watch.until_it_ends(stopped.number(), coordinator ? coordinator->descriptor() : -1, suspensions);
  result.ran_ns = std::chrono::nanoseconds(Clock::now() - started).count();
  const std::uint64_t private_peak = collect(command, program, result);
  const os::StoredRanges stored = streams.finish();
  result.output = stored.output;
  result.error = stored.error;
  if (result.output_error == 0) result.output_error = stored.store_error;
  if (!result.limit && !result.timed_out && !result.cancelled)
    result.limit = limit_at_end(command.limits, result, streams.received(), private_peak, watch.shared_memory());
  return result;
}

void become_program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  Command command;
  command.arguments = arguments;
  command.environment = environment;
  const std::vector<const char*> all = environment_of(command);
  os::exec_here(os::find_program(arguments.at(0), path_of(all), {}), arguments, all);
}

std::size_t room_for_arguments(const Command& command) {
  constexpr std::size_t for_the_kernel = 4096;  // the program's path, and what it adds behind the environment
  std::size_t taken = for_the_kernel;
  for (const char* assignment : environment_of(command))
    if (assignment) taken += std::strlen(assignment) + 1 + sizeof(char*);
  const std::size_t all = os::longest_command_line();
  return all > taken ? all - taken : 0;
}

std::string find_program(const std::string& name) { return os::find_program(name, path_of(os::own_environment()), {}); }

}  // namespace bulkhead
