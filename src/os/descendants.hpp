// Collecting what a program left behind. For processes that own all their children.
#pragma once

#include "os/child.hpp"
#include "os/fd.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace bulkhead::os {

/// Orphaned descendants become children of this process, so that they can be found and ended.
void adopt_orphans() noexcept;

/// Kills and reaps every child, and the children these leave, until there is none. Returns how many there were that had
/// not ended by themselves: SIGKILL ended them, this one or that of their group just before.
std::size_t kill_all_children() noexcept;

/// What a program has used up, and how it ended.
struct Reaped {
  ExitStatus status;
  std::chrono::nanoseconds user_time{}, system_time{};
  std::uint64_t max_rss = 0;  ///< bytes, files that it mapped included
  std::uint64_t minor_faults = 0;
};
/// Waits for this child to end and collects it.
Reaped reap_with_usage(const Fd& pidfd);

enum class GroupSignal { terminate, kill, proceed };
/// To every process of the group; none left is no error.
void signal_group(int group, GroupSignal which) noexcept;

/// To the group, and to those of `tree` that have left it; what is stopped is continued, so that it takes the signal.
void signal_tree(int group, std::span<const int> tree, int signal) noexcept;

/// Whether this process has any child at all, zombies included. One system call.
bool has_children() noexcept;

/// The living and dead children of this process, of whichever thread. Empty where there is no /proc.
std::vector<int> children();

/// The same of a process that has this one thread only. The kernel's list stays open, if it could be opened: to find it
/// costs ten times what it costs to read it.
class OwnChildren {
 public:
  OwnChildren();
  const Fd& fd() const noexcept { return list_; }
  std::vector<int> now() const;
  /// Whether `known` says no of one of them, or not all could be seen. Touches no memory but its own.
  bool any_besides(const std::function<bool(int)>& known) const;

 private:
  Fd list_;
  mutable std::array<char, 4096> text_;
};

/// All that `process` has started, directly or not, and that has not been waited for. 0: this process, which with
/// adopt_orphans() misses none.
std::vector<int> descendants_of(int process);

/// Stops (SIGSTOP) every child of this process and all below them, so that none is missed that is born meanwhile, and
/// waits until they stand still, a second or two at most; or lets all that are below it go on (SIGCONT), in whatever
/// way they were stopped.
void stop_all_descendants() noexcept;
void continue_all_descendants() noexcept;
/// Lets `process` and all below it go on.
void continue_tree(int process) noexcept;

/// Children that end_children_except() leaves alone although it is not told of them: processes of ours that serve this
/// one until they are dismissed: a thousand at most. Thread-safe, takes no lock.
void spare_child(int pid) noexcept;
void spare_child_no_more(int pid) noexcept;
/// They were another process', in another pid namespace: here the same numbers are somebody else.
void forget_spared_children() noexcept;

/// What note_forks() has to do but once, for this process and all that are forked from it: names are looked up for it,
/// which each of those would do anew. Thread-safe.
void prepare_to_note_forks() noexcept;
/// From here on calls of fork() in this process, and in those forked from it, are noted (not those of vfork() and
/// posix_spawn()); those before are forgotten.
void note_forks() noexcept;
/// Whether there was one since this was asked last.
bool forked_meanwhile() noexcept;
extern std::atomic<bool> noted_fork;
/// The same, and it can be asked again: for those who ask a million times a second.
inline bool fork_noted() noexcept { return noted_fork; }

/// Kills and reaps every child that is not in `spared`, and those that come to this process by their ends, until there
/// is none. Returns how many there were that had not ended by themselves.
std::size_t end_children_except(std::span<const int> spared) noexcept;
std::size_t end_children_except(std::span<const int> spared, const OwnChildren& children) noexcept;

}  // namespace bulkhead::os
