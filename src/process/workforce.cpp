// The coordinator's workforce: starting workers, and ending them.
#include "os/at_birth.hpp"
#include "os/clock.hpp"
#include "os/descendants.hpp"
#include "os/lifeline.hpp"
#include "os/private_descriptors.hpp"
#include "os/sandbox.hpp"
#include "process/coordinator.hpp"
#include "process/poll_keys.hpp"
#include "process/worker_loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace bulkhead::process {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t pipe_bytes = 256u << 10;
constexpr std::uint64_t frame_slack = 192u << 10;  // failures in words, filler and channel numbers are not results

// The fork server takes no more orders, or the kernel does not pass them on.
class NotHeard : public std::system_error {
 public:
  NotHeard() : std::system_error(EAGAIN, std::generic_category(), "the fork server does not listen") {}
};

}  // namespace

Worker* Coordinator::start_worker() {
  fork_direct_worker();  // it has its task, and is not to wait for what others need
  if (closed() || live_ >= most_workers_) return nullptr;
  const auto slot = static_cast<std::size_t>(std::find(workers_.begin(), workers_.end(), nullptr) - workers_.begin());
  bool is_new = false;
  try {
    is_new = !first_directly_ && make_server();
  } catch (const std::system_error& error) {
    return be_refused(error.what()), nullptr;
  }
  if (is_new) announce_server();  // before it is asked for anything; who is told of it may throw
  try {
    const Birth birth = spare_policy_.wants_spare(now_) ? Birth::at_once : Birth::on_servers_core;
    employ(spare_ ? std::move(spare_) : ask_for_worker(birth), slot);
  } catch (const std::system_error& error) {
    if (dynamic_cast<const NotHeard*>(&error)) server_->kill();  // its end is heard of like any other
    return be_refused(error.what()), nullptr;
  }
  if (workers_[slot]->born()) welcome(*workers_[slot]);  // who is told of it may throw; and it may be refused
  return workers_[slot].get();
}

void Coordinator::employ(std::unique_ptr<Worker> worker, std::size_t slot) {
  worker->take_slot(slot);
  worker->since = worker->last_taken = now_ = os::now();
  if (worker->words.from()) poller_.watch(worker->words.from().get(), key_of(slot, Sign::words));
  poller_.watch(worker->inbox().pipe().get(), key_of(slot, Sign::frames));
  workers_[slot] = std::move(worker);
  ++live_;
  if (live_ >= most_workers_)
    recount_all();  // one more may now be dealt to those that have proved nothing
  else
    recount(*workers_[slot]);
}

// Before the loop waits: nobody waits for this.
void Coordinator::admit_newcomers() {
  if (!std::exchange(admission_due_, false)) return;
  for (const auto& worker : workers_)
    if (worker && worker->born()) worker->admit();
}

std::unique_ptr<Worker> Coordinator::ask_for_worker(Birth birth) {
  os::MemoryFile memory("bulkhead-worker", ipc::worker_memory_bytes);
  if (!memory.occupy(ipc::worker_page_offset, ipc::worker_bytes_at_birth))
    throw std::system_error(ENOMEM, std::generic_category(), "fallocate of a worker's memory");
  os::Pipe pipe = os::make_private_pipe(pipe_bytes);
  os::Lifeline lifeline = os::make_lifeline();
  std::uint32_t seed = 0;
  while (seed == 0) seed = static_cast<std::uint32_t>(random_());
  const std::size_t fixed = options_.prefetch == WorkOptions::automatic ? 0 : options_.prefetch + 1;
  const std::size_t lane = free_lane();
  ipc::Mapping seen(memory, ipc::Access::read_only, 0, ipc::worker_memory_bytes);
  ipc::Inbox inbox(std::move(seen), std::move(pipe.read_end), seed, options_.max_result_bytes + frame_slack);
  auto worker =
      std::make_unique<Worker>(next_number_++, seed, lane, queue_.open_lane(lane), std::move(inbox), Pace(fixed));
  // Up to an eighth fewer than asked for: workers that were started together are not to be renewed together.
  if (const std::size_t most = options_.max_tasks_per_worker; most != 0)
    worker->most_tasks = most - random_() % (most / 8 + 1);
  os::Pipe words;
  if (options_.stderr_tail != 0) {
    words = os::make_private_pipe(pipe_bytes);
    worker->words = os::Tee(std::move(words.read_end), options_.stderr_tail);
  }
  worker->lifeline = std::move(lifeline.held);
  Cradle cradle{lane,
                seed,
                std::move(memory).release(),
                std::move(pipe.write_end),
                std::move(lifeline.tied),
                std::move(words.write_end)};
  if (std::exchange(first_directly_, false))
    direct_.emplace(Life{live_as_worker, this}, worker->number(), std::move(cradle));
  else if (!server_->ask_for_worker(worker->number(), cradle, birth))
    throw NotHeard();
  return worker;
}

// There is one more than there are slots.
std::size_t Coordinator::free_lane() const {
  std::vector<bool> taken(num_workers_ + 1);
  for (const auto& worker : workers_)
    if (worker) taken[worker->lane_number()] = true;
  if (spare_) taken[spare_->lane_number()] = true;
  return static_cast<std::size_t>(std::find(taken.begin(), taken.end(), false) - taken.begin());
}

// Fewer workers do the same work; with none left, the run ends rather than wait for ever.
void Coordinator::be_refused(const std::string& why) {
  dismiss_spare();
  most_workers_ = live_;
  recount_all();
  may_ask_again_at_ = now_ + before_asking_again;
  Failure failure;
  failure.ending = Ending::abandoned;
  failure.what = "no worker could be started: " + why;
  notify({.kind = EventKind::worker_refused, .ending = failure.ending, .failure = &failure});
  if (live_ == 0 && respawn_.is_enough(IdleDeath::by_itself, now_)) close(Ending::abandoned, std::move(failure.what));
}

BULKHEAD_AT_BIRTH void Coordinator::live_as_worker(void* coordinator, Cradle cradle) {
  const Coordinator& self = *static_cast<const Coordinator*>(coordinator);
  os::lead_own_group();  // all else that a fresh child would do was done before
  os::adopt_orphans();
  try {
    os::tie_to(std::move(cradle.lifeline));
    os::MemoryFile memory(std::move(cradle.memory), ipc::worker_memory_bytes);
    WorkerPlace place{ipc::TaskQueueView(self.queue_, cradle.lane),
                      ipc::Mapping(memory, ipc::Access::read_write, 0, ipc::worker_memory_bytes),
                      std::move(cradle.pipe), cradle.seed};
    memory.close();
    if (cradle.standard_error) os::become_standard_error(std::move(cradle.standard_error));
    os::close_private_descriptors(std::array{place.pipe.get(), os::tied_descriptor()});
    if (self.options_.isolation == Isolation::strict) os::enter_sandbox({self.options_.writable_paths});
    WorkerLoop(std::move(place), *self.body_, self.options_).run();
  } catch (...) {  // nothing may escape into the caller's copy of the stack
    os::leave_worker(1);
  }
}

// First of all it is taken out of the books: who is told of its death may throw.
std::unique_ptr<Worker> Coordinator::take_out(Worker& worker) {
  poller_.forget(worker.inbox().pipe().get());
  if (worker.words.from()) poller_.forget(worker.words.from().get());
  if (worker.orphaned) poller_.forget(worker.process().pidfd().get());
  if (filling_ == &worker) filling_ = nullptr, quota_ = 0;
  standing_ -= std::exchange(worker.counted_as, {});
  --live_;
  return std::move(workers_[static_cast<std::size_t>(worker.slot())]);
}

// What it started goes with it: who reaps it sees to that, and where nobody may, we do. The number of a living
// process is its own.
void Coordinator::kill_worker(Worker& worker) {
  if (worker.orphaned && !has_ended(worker)) os::signal_group(static_cast<int>(worker.pid()), os::GroupSignal::kill);
  worker.process().kill();
}

// What its lane still holds is dealt elsewhere first: the next record must not find a worker that was told to end.
void Coordinator::end_worker(Worker& worker, KillReason reason, Nanoseconds grace) {
  if (filling_ == &worker) close_fill();
  worker.doom = reason;
  if (!closed()) take_back_from(worker, worker.outstanding);
  worker.kill_at = grace > 0ns ? now_ + grace : Nanoseconds::max();
  next_kill_ = std::min(next_kill_, worker.kill_at);
  if (grace == 0ns)
    kill_worker(worker);
  else if (is_direct(worker))
    os::signal_group(static_cast<int>(worker.pid()), os::GroupSignal::terminate);
  else if (server_ && !worker.orphaned)
    server_->terminate_group(worker.number());
  else
    worker.process().terminate();
}

// Leaves when its lane is empty; not for ever: worker_exit gets as long as a task that was told to end.
void Coordinator::retire(Worker& worker) {
  worker.doom = KillReason::retired;
  worker.kill_at = now_ + std::max<Nanoseconds>(options_.kill_grace, 100ms);
  next_kill_ = std::min(next_kill_, worker.kill_at);
  worker.lane().request_stop();
}

void Coordinator::close(Ending ending, std::string why) {
  stop_dealing(ending, std::move(why));
  for (const auto& worker : workers_)
    if (worker && worker->outstanding != 0 && worker->doom == KillReason::none)
      end_late(*worker, KillReason::cancelled, options_.kill_grace);
}

// What no worker has begun ends here.
void Coordinator::stop_dealing(Ending ending, std::string why) {
  if (closed()) return;
  closed_.emplace().ending = ending;
  closed_->what = std::move(why);
  close_fill();
  for (PendingTask& task : backlog_.take_all()) end_pending(std::move(task), Failure(*closed_));
  for (const auto& worker : workers_) {
    if (!worker) continue;
    worker->take_back(worker->outstanding, [&](const ipc::Record& record) {
      ++counted_.taken_back;
      end_pending(pending_from(record), Failure(*closed_));
    });
  }
}

}  // namespace bulkhead::process
