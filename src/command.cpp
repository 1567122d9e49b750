#include <bulkhead/command.hpp>

#include "os/descendants.hpp"
#include "os/lifeline.hpp"
#include "os/program_streams.hpp"
#include "os/spawn.hpp"
#include "program_image.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

using Clock = std::chrono::steady_clock;

CommandResult not_started(CommandResult result, int error) {
  result.start_error = error;
  result.exit_code = shell_code(error);
  return result;
}

// Sees one program through: waits for whatever comes first, its end, its output, its time or a request to stop.
class Watch {
 public:
  Watch(const Command& command, const os::Spawned& program, os::ProgramStreams& streams, CommandResult& result)
      : command_(command), program_(program), streams_(streams), result_(result) {
    if (command.timeout.count() > 0) deadline_ = Clock::now() + command.timeout;
  }

  void until_it_ends(int stop_descriptor, int parent_descriptor) {
    for (;;) {
      const int stop = ending_ ? -1 : stop_descriptor;  // once told it stays readable
      const os::ProgramEvents events = streams_.wait(program_.pidfd.get(), stop, parent_descriptor, time_left());
      if (events.ended) return;
      if (events.parent_gone) {
        os::signal_group(program_.pid, os::GroupSignal::kill);
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
      if (deadline_ != never && Clock::now() >= deadline_) out_of_time();
    }
  }

 private:
  std::optional<std::chrono::nanoseconds> time_left() const {
    if (deadline_ == never) return std::nullopt;
    return std::max<std::chrono::nanoseconds>(deadline_ - Clock::now(), std::chrono::nanoseconds(0));
  }

  void out_of_time() {
    if (!ending_) {
      result_.timed_out = true;
      end_program();
    } else {
      os::signal_group(program_.pid, os::GroupSignal::kill);
      deadline_ = never;
    }
  }

  void end_program() {
    ending_ = true;
    os::signal_group(program_.pid, os::GroupSignal::terminate);
    os::signal_group(program_.pid, os::GroupSignal::proceed);  // a stopped process takes TERM only when it goes on
    deadline_ = Clock::now() + command_.kill_grace;
  }

  const Command& command_;
  const os::Spawned& program_;
  os::ProgramStreams& streams_;
  CommandResult& result_;
  static constexpr Clock::time_point never = Clock::time_point::max();
  Clock::time_point deadline_ = never;
  bool ending_ = false;
};

void collect(const Command& command, const os::Spawned& program, CommandResult& result) {
  // Its leader is not reaped yet, so the group's number still means this group.
  os::signal_group(program.pid, os::GroupSignal::kill);
  const os::Reaped reaped = os::reap_with_usage(program.pidfd);
  if (command.owns_children) result.leaked = os::kill_all_children() > 0;
  if (reaped.status.known && reaped.status.signaled)
    result.signal = reaped.status.number;
  else if (reaped.status.known)
    result.exit_code = reaped.status.number;
  result.user_ns = reaped.user_time.count();
  result.system_ns = reaped.system_time.count();
  result.max_rss = reaped.max_rss;
}

}  // namespace

CommandResult run_command(const Command& command, std::stop_token stop) {
  CommandResult result;
  result.started_ns = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();

  os::ProgramImage image;
  if (const int error = prepare(command, image); error != 0) return not_started(result, error);

  const os::KeepChildStatuses keep;
  if (command.owns_children) os::adopt_orphans();
  std::optional<os::LifelineWatch> coordinator;
  if (command.owns_children) coordinator.emplace();
  os::ProgramStreams streams(command.output, command.error, command.on_lines);
  streams.give_to(image);
  os::WakeUp stopped;
  std::stop_callback on_stop(stop, [&] { stopped.notify(); });

  const auto started = Clock::now();
  const os::Spawned program = os::spawn(image);
  if (program.pid == 0) return not_started(result, program.error);
  Watch watch(command, program, streams, result);
  watch.until_it_ends(stopped.fd().get(), coordinator ? coordinator->descriptor() : -1);
  result.ran_ns = std::chrono::nanoseconds(Clock::now() - started).count();
  collect(command, program, result);
  const os::StoredRanges stored = streams.finish();
  result.output = stored.output;
  result.error = stored.error;
  if (result.output_error == 0) result.output_error = stored.store_error;
  return result;
}

std::string find_program(const std::string& name) {
  const std::vector<std::string> environment = os::own_environment();
  return os::find_program(name, path_of(environment), {});
}

}  // namespace bulkhead
