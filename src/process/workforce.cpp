// The coordinator's workforce: starting workers, ending them, and burying those that ended.
#include "os/clock.hpp"
#include "process/coordinator.hpp"
#include "process/poll_keys.hpp"
#include "process/worker_loop.hpp"

#include <algorithm>
#include <mutex>
#include <system_error>

namespace bulkhead::process {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t pipe_bytes = 256u << 10;
constexpr std::uint64_t frame_slack = 192u << 10;  // failures in words, filler and channel numbers are not results

// Every coordinator of this process, so that a fresh worker can close what is none of its business. The forking thread
// holds the lock across the fork: the child finds the list whole.
struct Registry {
  std::mutex mutex;
  std::vector<Coordinator*> coordinators;
};
Registry& registry() {
  static Registry all;
  return all;
}

// In a worker: its own pipe, which the workers of a nested run must not inherit.
int own_pipe = -1;

}  // namespace

void enlist(Coordinator* coordinator) {
  const std::lock_guard lock(registry().mutex);
  registry().coordinators.push_back(coordinator);
}

void delist(Coordinator* coordinator) {
  const std::lock_guard lock(registry().mutex);
  std::erase(registry().coordinators, coordinator);
}

Worker* Coordinator::start_worker() {
  const auto slot = static_cast<std::size_t>(std::find(workers_.begin(), workers_.end(), nullptr) - workers_.begin());
  try {
    os::MemoryFile memory("bulkhead-worker", ipc::worker_memory_bytes);
    if (!memory.occupy(0, ipc::worker_memory_bytes))
      throw std::system_error(ENOMEM, std::generic_category(), "fallocate of a worker's memory");
    os::Pipe pipe = os::make_pipe(pipe_bytes);
    const ipc::LaneWriter lane = queue_.open_lane(slot);
    const auto seed = static_cast<std::uint32_t>(random_());

    std::unique_lock lock(registry().mutex);
    auto child = os::fork_child();
    if (!child) live_as_worker(slot, memory, pipe, seed, owner_);
    lock.unlock();

    ipc::Inbox inbox(ipc::Mapping(memory, ipc::Access::read_only, 0, ipc::worker_memory_bytes),
                     std::move(pipe.read_end), seed, options_.max_result_bytes + frame_slack);
    const std::size_t fixed = options_.prefetch == WorkOptions::automatic ? 0 : options_.prefetch + 1;
    workers_[slot] =
        std::make_unique<Worker>(static_cast<int>(slot), *std::move(child), lane, std::move(inbox), Pace(fixed));
  } catch (const std::system_error&) {
    if (live_ == 0) throw;
    most_workers_ = live_;  // the kernel grants no more: fewer workers do the same work
    return nullptr;
  }
  Worker& worker = *workers_[slot];
  ++live_;
  now_ = os::now();
  worker.last_taken = now_;
  poller_.watch(worker.inbox().pipe().get(), pipe_key(slot));
  poller_.watch(worker.child().pidfd().get(), death_key(slot));
  notify({.kind = EventKind::worker_started, .worker = worker.slot(), .process = worker.pid()});
  return &worker;
}

void Coordinator::live_as_worker(std::size_t slot, os::MemoryFile& memory, os::Pipe& pipe, std::uint32_t seed,
                                 int parent) {
  os::become_worker(parent);
  try {
    WorkerPlace place{static_cast<int>(slot), ipc::TaskQueueView(queue_, slot),
                      ipc::Mapping(memory, ipc::Access::read_write, 0, ipc::worker_memory_bytes),
                      std::move(pipe.write_end), seed};
    memory.close();
    pipe.read_end.reset();
    for (Coordinator* coordinator : registry().coordinators) coordinator->close_descriptors();
    registry().coordinators.clear();
    registry().mutex.unlock();
    os::Fd(std::exchange(own_pipe, place.pipe.get())).reset();
    WorkerLoop(std::move(place), *body_, options_).run();
  } catch (...) {  // nothing may escape into the caller's copy of the stack
    os::leave_worker(1);
  }
}

void Coordinator::close_descriptors() noexcept {
  poller_.close();
  stop_wake_.close();
  queue_.close_descriptor();
  for (const auto& worker : workers_)
    if (worker) worker->close_descriptors();
}

void Coordinator::bury(Worker& worker) {
  const std::size_t slot = static_cast<std::size_t>(worker.slot());
  const bool at_birth = !worker.serving;
  const auto in_hand = at_birth ? std::optional<ipc::Record*>(nullptr) : worker.record_in_hand();
  poller_.forget(worker.inbox().pipe().get());
  poller_.forget(worker.child().pidfd().get());
  const os::ExitStatus status = worker.child().reap();
  const Death death{status.signaled, status.number, status.known, worker.doom, options_.task_timeout};

  if (worker.doom != KillReason::retired) {
    const Failure failure = judge_death(death);
    notify({.kind = EventKind::worker_died,
            .worker = worker.slot(),
            .process = worker.pid(),
            .ending = failure.ending,
            .failure = &failure});
  }
  const ipc::Record* const culprit = in_hand.value_or(nullptr);
  if (culprit) settle_death(worker, *culprit, death);
  redeal_rest(worker, culprit, !in_hand);

  if (filling_ == &worker) filling_ = nullptr, quota_ = 0;
  const std::unique_ptr<Worker> dead = std::move(workers_[slot]);
  --live_;
  if (at_birth && worker.doom == KillReason::none) count_death_at_birth(worker, death);
}

void Coordinator::settle_death(Worker& worker, const ipc::Record& culprit, const Death& death) {
  Failure failure = judge_death(death);
  if (failure.signal != 0) failure.backtrace = worker.last_frames(failure.signal);
  announce_start(worker, culprit.task, culprit.attempt);
  const std::size_t before = completions_.size();
  settle_failure(worker, culprit, std::move(failure));
  if (completions_.size() == before) return;
  auto& stats = completions_.back().stats;
  if (worker.hand_since() > 0ns) stats.ran_ns = static_cast<float>((now_ - worker.hand_since()).count());
  stats.peak_rss_kib = worker.peak_rss_kib;
}

// What the dead worker had not started goes on elsewhere, uncharged. Where its page cannot be believed, any of them
// may be the one it died of: they are dealt one at a time, so that the next death names its task.
void Coordinator::redeal_rest(Worker& worker, const ipc::Record* culprit, bool all_suspect) {
  auto& lane = worker.lane();
  const Failure lost = judge_death({.reason = KillReason::bad_frames});
  lane.for_each_from(lane.front_offset(), [&](ipc::Record& record, std::uint64_t) {
    if (&record == culprit || Worker::mark(record) == Mark::moved) return;
    PendingTask task = pending_from(record, lane);
    task.alone = all_suspect;
    if (closed()) return end_pending(std::move(task), Failure(*closed_));
    if (all_suspect)
      notify({.kind = EventKind::attempt_lost,
              .task = task.task,
              .attempt = task.attempt,
              .worker = worker.slot(),
              .process = worker.pid(),
              .ending = lost.ending,
              .failure = &lost});
    backlog_.add(std::move(task));
  });
}

void Coordinator::count_death_at_birth(const Worker& worker, const Death& death) {
  if (deaths_at_birth_ == 0 || now_ - first_birth_death_ > options_.respawn.period) {
    deaths_at_birth_ = 0;
    first_birth_death_ = now_;
  }
  if (++deaths_at_birth_ <= options_.respawn.limit) return;
  const std::string words = worker.last_words.empty() ? describe_death(death) : worker.last_words;
  close(Ending::abandoned, "given up after " + std::to_string(deaths_at_birth_) +
                               " workers in a row died before their first task; the last one: " + words);
}

// Leaves when its lane is empty; not for ever: worker_exit gets as long as a task that was told to end.
void Coordinator::retire(Worker& worker) {
  worker.doom = KillReason::retired;
  worker.kill_at = now_ + std::max<Nanoseconds>(options_.kill_grace, 100ms);
  worker.lane().request_stop();
}

void Coordinator::close(Ending ending, std::string why) {
  if (closed()) return;
  closed_.emplace().ending = ending;
  closed_->what = std::move(why);
  close_fill();
  for (PendingTask& task : backlog_.take_all()) end_pending(std::move(task), Failure(*closed_));
  for (const auto& worker : workers_) {
    if (!worker) continue;
    worker->take_back(worker->outstanding, [&](const ipc::Record& record) {
      end_pending(pending_from(record, worker->lane()), Failure(*closed_));
    });
    if (worker->outstanding != 0 && worker->doom == KillReason::none)
      worker->end(KillReason::cancelled, now_, options_.kill_grace);
  }
}

}  // namespace bulkhead::process
