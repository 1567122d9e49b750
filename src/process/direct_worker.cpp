#include "process/direct_worker.hpp"

#include "os/at_birth.hpp"
#include "os/descendants.hpp"
#include "os/out_of_memory_rank.hpp"
#include "os/signal_mask.hpp"
#include "os/suspension_watch.hpp"

#include <utility>

namespace bulkhead::process {

BULKHEAD_AT_BIRTH os::ProcessHandle DirectWorker::fork(bool crash_notes, const std::function<void()>& admit) {
  prepare_to_fork(crash_notes);
  statuses_.emplace();
  try {
    os::flush_before_fork();  // it may have to wait for who reads, and can be told to end
    const os::AllSignalsBlocked until_both_can_take_them;
    os::Child child = fork_with_rank(crash_notes);
    os::adopt_orphans();
    paused_with_us_.emplace(child.pidfd());
    os::spare_child(child.pid());  // another run of this process is not to end it
    admit();
    os::let_child_go_first();
    cradle_.reset();
    return std::move(child).release();
  } catch (...) {
    statuses_.reset();
    throw;
  }
}

// Ours is ours again before the worker is admitted.
BULKHEAD_AT_BIRTH os::Child DirectWorker::fork_with_rank(bool crash_notes) {
  const os::OutOfMemoryRank rank;
  const os::OutOfMemoryRank::Raised while_forking(rank);
  std::optional<os::Child> child = os::fork_child();
  if (!child) live(crash_notes);
  return *std::move(child);
}

void DirectWorker::leave(const os::ProcessHandle& process) noexcept {
  paused_with_us_.reset();
  os::spare_child_no_more(process.pid());
}

// In the child: nothing may escape into the caller's copy of the stack.
BULKHEAD_AT_BIRTH void DirectWorker::live(bool crash_notes) noexcept {
  try {
    os::lead_own_group();  // first: what a terminal sends to ours is not for us
    os::follow_suspensions_of_parent();
    part_from_host(crash_notes);
    os::be_suspended_by_signals();
    life_.live(life_.told, std::move(*cradle_));
  } catch (...) {
  }
  os::leave_at_once(1);
}

}  // namespace bulkhead::process
