// The coordinator and the workers that no fork server sees to: the one that its own process forks, and those whose
// server was lost.
#include "os/clock.hpp"
#include "os/descendants.hpp"
#include "os/lifeline.hpp"
#include "process/coordinator.hpp"
#include "process/poll_keys.hpp"

#include <system_error>
#include <utility>

namespace bulkhead::process {

// In a worker who gives the task ends what it leaves; the first process of a container adopts what is none of ours; and
// children that were there before are not ours to end.
bool Coordinator::may_fork_directly() const noexcept {
  return options_.first_worker_directly && options_.isolation != Isolation::pid && os::tied_descriptor() < 0 &&
         os::process_id() != 1 && !os::has_children();
}

// As late as can be: what we do after the fork stands in its way, since each page that we store to then is copied. That
// saves half a millisecond to one, of the three or four that are saved by having no fork server.
void Coordinator::fork_direct_worker() {
  if (!direct_ || direct_->forked()) return;
  Worker* const worker = worker_numbered(direct_->number());
  if (!worker) return direct_.reset();  // it could not be employed
  kills_for_memory_.begin();
  try {
    static_assert(noexcept(worker->admit()));
    os::ProcessHandle process = direct_->fork(options_.crash_notes, [&] { worker->admit(); });
    worker->be_born(std::move(process), now_ = os::now());
  } catch (const std::system_error& e) {
    direct_.reset();
    return refuse_birth(*worker, e.code().value());
  }
  watch_end(*worker);
  recount(*worker);
  welcome(*worker);
}

bool Coordinator::is_direct(const Worker& worker) const noexcept {
  return direct_ && direct_->number() == worker.number();
}

void Coordinator::watch_end(Worker& worker) noexcept {
  if (worker.dying) return;
  try {
    poller_.watch(worker.process().pidfd().get(), key_of(static_cast<std::size_t>(worker.slot()), Sign::death));
  } catch (const std::system_error&) {  // it is seen in a while all the same
  }
}

// It has ended, and nobody else ends its group. As long as that has members the number is theirs; if it has none, it is
// held by the dead that we have not reaped, or was free for no longer than we took to wake up.
void Coordinator::reap_without_server(Worker& worker) noexcept {
  poller_.forget(worker.process().pidfd().get());
  if (is_direct(worker)) direct_->leave(worker.process());
  os::signal_group(static_cast<int>(worker.pid()), os::GroupSignal::kill);
  if (!direct_ || !direct_->forked()) return;  // then somebody else has adopted it
  const os::Reaped reaped = os::reap_with_usage(worker.process().pidfd());
  using std::chrono::duration_cast, std::chrono::microseconds;
  worker.ended = WorkerEnd{.status = reaped.status,
                           .left = end_what_came_to_us(),
                           .max_rss = reaped.max_rss,
                           .user_time = duration_cast<microseconds>(reaped.user_time),
                           .system_time = duration_cast<microseconds>(reaped.system_time)};
  if (is_direct(worker)) direct_->let_statuses_go();
}

// Nearly always nothing has. But workers whose server was lost have, and go on.
std::size_t Coordinator::end_what_came_to_us() noexcept {
  if (!direct_ || !direct_->forked() || !os::has_children()) return 0;
  try {
    std::vector<int> workers;
    for (const auto& worker : workers_)
      if (worker && worker->born() && !worker->dying) workers.push_back(worker->process().pid());
    return os::end_children_except(workers);
  } catch (const std::bad_alloc&) {  // when the next one ends they are looked for again
    return 0;
  }
}

}  // namespace bulkhead::process
