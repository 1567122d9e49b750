// A forked child, watched and signalled through its pidfd: a process id may be reused, a pidfd never is.
#pragma once

#include "os/fd.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace bulkhead::os {

/// How a process ended: by a signal, or by a code. Never folded into one number.
struct ExitStatus {
  bool signaled = false;
  int number = 0;       ///< the signal, or the exit code
  bool known = true;    ///< false: somebody else reaped it (a host that waits for any child)
  bool dumped = false;  ///< a core was written
};

/// A process, as far as a pidfd reaches: it can be watched, and signalled. Who forked it reaps it.
class ProcessHandle {
 public:
  ProcessHandle() noexcept = default;
  ProcessHandle(int pid, Fd pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}

  int pid() const noexcept { return pid_; }
  const Fd& pidfd() const noexcept { return pidfd_; }
  explicit operator bool() const noexcept { return static_cast<bool>(pidfd_); }
  /// To this process alone. Never fails: it may be gone already.
  void terminate() const noexcept;
  void kill() const noexcept;

 private:
  int pid_ = 0;
  Fd pidfd_;
};

/// The wish of a worker, as a signal number this room knows.
enum class Signal { terminate, kill };

class Child {
 public:
  Child() noexcept = default;
  Child(int pid, Fd pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}

  int pid() const noexcept { return pid_; }
  const Fd& pidfd() const noexcept { return pidfd_; }
  explicit operator bool() const noexcept { return pid_ > 0; }

  /// To the child, and to every process of the group that it leads. Never fails: the child may be gone already.
  void signal(Signal which) const noexcept;
  /// SIGKILL to it alone, by its pidfd: right also where somebody else may have reaped it.
  void kill() const noexcept;
  /// Lets it go on if it was stopped.
  void proceed() const noexcept;
  /// It is to be reaped by its pidfd then: reap_with_usage().
  ProcessHandle release() && noexcept { return {std::exchange(pid_, 0), std::move(pidfd_)}; }
  /// Collects the status if the child has ended; afterwards this owns nothing.
  std::optional<ExitStatus> try_reap();
  ExitStatus reap();

 private:
  std::optional<ExitStatus> collect(int flags);

  int pid_ = 0;
  Fd pidfd_;
};

/// The host's buffered standard output, as far as no other thread holds it. False: not all of it.
bool flush_before_fork() noexcept;

/// fork(). In the child returns an empty optional. Throws std::system_error where the kernel refuses.
///
/// The host's buffered standard output is flushed first, so that the child cannot print it a second time.
std::optional<Child> fork_child();
/// The same in a process that prints nothing itself: its standard output is not looked at.
std::optional<Child> fork_silently();

/// Behind a fork: where the kernel has put the child on this core, it need not wait until its parent sleeps. (The
/// kernel often does, while other cores are idle.)
void let_child_go_first() noexcept;

/// In a fresh child: leads its own process group.
void lead_own_group() noexcept;
/// Takes the signals that end a process as if nobody had ever handled, ignored or blocked them. So do those that are
/// forked from it.
void take_default_signal_actions() noexcept;

int process_id() noexcept;

/// Tells this process from all that its memory was copied from, or to, by forks. A number alone does not: each pid
/// namespace counts from 1.
std::uint64_t process_identity() noexcept;
/// The next child will live in a namespace of its own.
void enter_generation() noexcept;

/// A descriptor that becomes readable when process `pid` has ended. Throws std::system_error.
Fd watch_process(int pid);
/// Whether this process' parent is `pid`.
bool is_parent(int pid) noexcept;
/// What ps(1) shows; at most 15 characters count.
void name_process(const char* name) noexcept;
using ProcessName = std::array<char, 16>;
ProcessName process_name() noexcept;

/// Ends this process without running destructors or exit handlers; flushes what the task printed.
[[noreturn]] void leave_worker(int code) noexcept;
/// The same, without flushing anything.
[[noreturn]] void leave_at_once(int code) noexcept;

/// While one lives, SIGCHLD has its default action: with SIG_IGN (which is inherited) the kernel throws statuses away.
class KeepChildStatuses {
 public:
  KeepChildStatuses() noexcept;
  ~KeepChildStatuses();
  KeepChildStatuses(const KeepChildStatuses&) = delete;
  KeepChildStatuses& operator=(const KeepChildStatuses&) = delete;

 private:
  bool was_ignored_ = false;
};

}  // namespace bulkhead::os
