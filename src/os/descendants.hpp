// Collecting what a program left behind. For processes that own all their children.
#pragma once

#include "os/child.hpp"
#include "os/fd.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bulkhead::os {

/// Orphaned descendants become children of this process, so that they can be found and ended.
void adopt_orphans() noexcept;

/// Kills and reaps every child, and the children these leave, until there is none. Returns how many there were.
std::size_t kill_all_children() noexcept;

/// What a program has used up, and how it ended.
struct Reaped {
  ExitStatus status;
  std::chrono::nanoseconds user_time{}, system_time{};
  std::uint64_t max_rss = 0;  ///< bytes
};
/// Waits for this child to end and collects it.
Reaped reap_with_usage(const Fd& pidfd);

enum class GroupSignal { terminate, kill, proceed };
/// To every process of the group; none left is no error.
void signal_group(int group, GroupSignal which) noexcept;

/// While one lives, the death of this process' parent is told by a descriptor that becomes readable, instead of by an
/// instant SIGKILL: whoever waits can then take its descendants along.
class ParentWatch {
 public:
  ParentWatch();
  ~ParentWatch();
  ParentWatch(const ParentWatch&) = delete;
  ParentWatch& operator=(const ParentWatch&) = delete;
  int descriptor() const noexcept;

 private:
  bool armed_ = false;
};

}  // namespace bulkhead::os
