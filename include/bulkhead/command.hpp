// Running a program as a task: its streams, its time, and everything it started.
#pragma once

#include <bulkhead/options.hpp>
#include <bulkhead/stop_request.hpp>
#include <bulkhead/task_output.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bulkhead {

/// One step of a program's end: a signal to all of it, and how long it may take to go before the next step.
struct EndStep {
  int signal = SIGTERM;
  std::chrono::milliseconds wait{0};
};

/// What a program and all that it starts may use. 0: no limit of ours.
struct CommandLimits {
  std::uint64_t memory = 0;               ///< private resident bytes, of all its processes together; looked at every
                                          ///< 10 ms. Beyond it they are killed at once. Of a peak between two looks the
                                          ///< kernel tells the size with mapped files only; its page faults tell how
                                          ///< much of it can have been private, and only that counts
  std::chrono::milliseconds cpu_time{0};  ///< of all its processes together, those they waited for included
  std::uint64_t file_size = 0;            ///< bytes, of any file it writes (RLIMIT_FSIZE)
  unsigned open_files = 0;                ///< descriptors of each process (RLIMIT_NOFILE)
  std::uint64_t output = 0;  ///< bytes on both streams together, where we pass them on; what comes later is dropped
};

/// The limits that end a program. That of open files does not: the program is told by the kernel.
enum class LimitKind : std::uint8_t { none, memory, cpu_time, file_size, output };

/// A limit that a program went beyond: bytes, nanoseconds for processor time. `used` is 0 where it is not known.
struct LimitHit {
  LimitKind kind = LimitKind::none;
  std::uint64_t used = 0, allowed = 0;

  explicit operator bool() const noexcept { return kind != LimitKind::none; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(kind, used, allowed);
  }
};

/// What to run, and how.
struct Command {
  std::vector<std::string> arguments;      ///< argv; the first is looked for in PATH unless it has a slash
  std::vector<std::string> environment{};  ///< K=V, in addition to ours or in the place of ours
  bool clear_environment = false;          ///< start from an empty one instead of ours
  std::string directory{};                 ///< where it runs; empty: here
  int niceness = 0;                        ///< added to ours
  std::string input{};                     ///< what it reads on its standard input; empty: /dev/null
  std::chrono::milliseconds timeout{0};    ///< from its start; 0: none
  /// Asked several times a second instead of `timeout`, so that the limit of a running program can still change; 0:
  /// none.
  std::function<std::chrono::milliseconds()> current_timeout{};
  CommandLimits limits{};
  /// How it is ended after a time-out, a stop request or a limit. Each signal goes to its process group, and to what
  /// it started that has left the group; stopped processes are continued. KILL is always the last step.
  std::vector<EndStep> end_steps{{SIGTERM, std::chrono::milliseconds(2000)}, {SIGKILL, std::chrono::milliseconds(0)}};

  TaskOutput* output = nullptr;  ///< its standard output and error are appended to these; null: they are ours
  TaskOutput* error = nullptr;
  /// Instead of the two above: called with whole lines as they come (channel 1: output, 2: error). A line that is
  /// longer than a megabyte, and the last one, may come without its newline.
  std::function<void(int channel, std::span<const std::byte> lines)> on_lines{};

  /// This process runs one command at a time and has no other children: what a program leaves running is found and
  /// ended even where it left its process group, and nothing survives a sudden death of this process' parent.
  bool owns_children = false;

  /// `pid`: it lives in a pid namespace of its own, below a first process of ours; it sees no other processes in /proc,
  /// and whatever it started ends with it. `strict`: besides, it gains no privileges, opens no sockets but AF_UNIX,
  /// traces nobody, makes no namespaces and no mounts, and writes no files but below `writable_paths`, /dev/null and
  /// its kin, and a /dev/shm of its own (SECURITY.md).
  Isolation isolation = Isolation::contained;
  std::vector<std::string> writable_paths{};  ///< strict: directories with all below them, or files; at most 16
};

/// How a program ended. A code and a signal are never folded into one number.
struct CommandResult {
  std::optional<int> exit_code;  ///< if it exited; 127 or 126, as a shell has it, if it could not be started
  int signal = 0;                ///< if a signal ended it
  int start_error = 0;           ///< errno, if it could not be started
  std::string start_problem{};   ///< more words on that, where errno says little: an isolation that was refused
  int output_error = 0;          ///< errno, if its output could not be stored (it was ended then)
  bool timed_out = false;        ///< it was ended because its time was up
  std::int64_t allowed_ns = 0;   ///< the time that was up
  bool cancelled = false;        ///< it was ended because a stop was requested
  LimitHit limit{};              ///< it went beyond one of Command::limits
  bool leaked = false;           ///< it left processes running; they have been ended
  std::int64_t started_ns = 0;   ///< nanoseconds since 1970
  std::int64_t ran_ns = 0, user_ns = 0, system_ns = 0;
  std::uint64_t max_rss = 0;  ///< bytes, the largest process
  ByteRange output{}, error{};

  bool succeeded() const noexcept { return exit_code == 0 && !timed_out && !cancelled && !limit && output_error == 0; }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(exit_code, signal, start_error, start_problem, output_error, timed_out, allowed_ns, cancelled, limit,
            leaked, started_ns, ran_ns, user_ns, system_ns, max_rss, output, error);
  }
};

/// Runs it to its end: as the leader of its own process group, bound to die with this
/// thread. At the end, whatever is left in that group is killed. Everything that can go wrong with the program is in
/// the result; throws std::system_error only where this process itself is out of descriptors or memory. Takes 64 KiB of
/// the calling thread's stack, and more with an output limit.
CommandResult run_command(const Command& command, const StopRequest& stop = {});

/// Tries what `command.isolation` and `writable_paths` ask for, in a process that ends at once. Throws
/// std::system_error with the reason and the remedy where it cannot be had here, and std::invalid_argument where all of
/// the file system would be writable, or a path is missing. Returns what strict cannot guard on this kernel, a sentence
/// each.
std::vector<std::string> try_isolation(const Command& command);

/// Turns this process into that program, with `environment` (K=V) added to or in the place of ours. Returns never;
/// throws std::system_error naming the program where it cannot be started.
[[noreturn]] void become_program(const std::vector<std::string>& arguments,
                                 const std::vector<std::string>& environment);

/// How many bytes the arguments of this command may take together, the pointers to them included: what the system
/// takes for a command line, less the environment, ours or its own. One argument alone may have 128 KiB less a byte.
std::size_t room_for_arguments(const Command& command);

/// Where execvp() would find it; empty: nowhere. A name with a slash is returned as it is. As in a shell, what was
/// found last is remembered for as long as it is there, also if another comes to stand before it in PATH.
std::string find_program(const std::string& name);

}  // namespace bulkhead
