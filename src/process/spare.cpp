// The coordinator's spare worker: forked while others work, so that nobody waits for the next.
#include "process/coordinator.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace bulkhead::process {

// More were born than there are: others may end. Where descriptors or processes are short, births under way need them;
// and what fails now is said when it is needed.
void Coordinator::prepare_for_successor() noexcept {
  if (spare_ || !server_ || counted_.workers_started <= live_ || closed() || most_workers_ < num_workers_) return;
  if (now_ < may_prepare_at_ || !spare_policy_.wants_spare(now_)) return;
  try {
    const bool at_leisure = live_ == most_workers_;  // then it is needed only after an end, and that is told as well
    spare_ = ask_for_worker(at_leisure ? Birth::at_leisure : Birth::at_once);
  } catch (const std::exception&) {
    do_without_spare();
  }
}

// To be called while `since` of the dead is still when it was admitted.
void Coordinator::note_for_spares(const Worker& dead) noexcept {
  Nanoseconds oldest = now_ - dead.since;
  for (const auto& worker : workers_)
    if (worker && worker->admitted() && !worker->dying) oldest = std::max(oldest, now_ - worker->since);
  spare_policy_.note_death(oldest, now_);
}

// For a while: whatever keeps it from standing by may do so again at once.
void Coordinator::do_without_spare() noexcept {
  dismiss_spare();
  may_prepare_at_ = now_ + before_asking_again;
}

// Not by its lifeline alone: a child of the host's own may have a copy of our end.
void Coordinator::dismiss_spare() noexcept {
  if (spare_) spare_->process().kill();
  spare_.reset();
}

// What becomes of a spare concerns nobody before it is needed.
void Coordinator::take_report_of_spare(const Report& report, os::ProcessHandle process) {
  if (report.kind == ReportKind::born && process) return spare_->be_born(std::move(process), now_);
  if (report.kind == ReportKind::ended && report.signaled && report.number == kill_signal)
    static_cast<void>(kills_for_memory_.claim());  // or it would explain the next worker that somebody kills
  do_without_spare();
}

}  // namespace bulkhead::process
