#include "process/coordinator.hpp"

#include "os/clock.hpp"
#include "os/limits.hpp"
#include "os/sandbox.hpp"
#include "process/poll_keys.hpp"
#include "process/process_options.hpp"

#include <algorithm>
#include <stdexcept>

namespace bulkhead::process {

using namespace std::chrono_literals;
using detail::Wake;

namespace {

constexpr auto batch_look = 20ms;  // a finished result reaches the caller within this, whatever its worker does next
constexpr auto idle_look = 2ms;    // no worker stays idle longer while another holds tasks it has not started

std::size_t arena_bytes(const WorkOptions& options) {
  constexpr std::uint64_t least = 256u << 20;
  return std::max(least, 4 * (options.max_item_bytes + 4096));  // reserved, not occupied
}

}  // namespace

Coordinator::Coordinator(std::unique_ptr<detail::TaskBody> body, const WorkOptions& options)
    : body_(std::move(body)),
      options_((check_process_options(options), options)),
      num_workers_(options.num_workers != 0 ? options.num_workers : usable_cores()),
      owner_(os::process_identity()),
      queue_(num_workers_, arena_bytes(options)),
      workers_(num_workers_),
      most_workers_(num_workers_),
      respawn_(options_.respawn),
      parallelism_(num_workers_),
      kills_for_memory_(os::out_of_memory_kills()),
      random_(std::random_device{}()) {
  completions_.reserve(4096);
  if (options_.stop.stop_possible()) {
    poller_.watch(stop_wake_.fd().get(), stop_key);
    on_stop_.emplace(options_.stop, [this] { stop_wake_.notify(); });
  }
  now_ = os::now();
  next_look_ = now_ + batch_look;
  next_heartbeat_ = now_ + options_.per_sync_timeout;
  notify({.kind = EventKind::run_started});
  if (options_.isolation == Isolation::strict) announce_what_is_lacking();
}

void Coordinator::announce_what_is_lacking() const {
  for (const std::string& part : os::probe_sandbox().lacking) {
    Failure failure;
    failure.what = part;
    notify({.kind = EventKind::isolation_lacking, .failure = &failure});
  }
}

Coordinator::~Coordinator() {
  on_stop_.reset();
  for (const auto& worker : workers_)
    if (worker) worker->process().kill();
  server_.reset();
  for (const auto& worker : workers_)  // those whose fork server was lost: nobody of ours reaps them
    if (worker && worker->orphaned) os::wait_readable(worker->process().pidfd(), 2s);
}

bool Coordinator::belongs_to_this_process() const noexcept { return os::process_identity() == owner_; }

void Coordinator::add_failed(std::uint64_t task, Failure failure) {
  if (large_) queue_.release(*std::exchange(large_, std::nullopt));
  ++admitted_;
  failed_early_.emplace_back(task, std::move(failure));
}

Wake Coordinator::wait(int input) {
  completions_.clear();
  failures_.clear();
  close_fill();
  watch_input(input);
  for (auto& [task, failure] : failed_early_) end_task(task, 0, 0, std::move(failure));
  failed_early_.clear();
  while (completions_.empty()) {
    if (std::exchange(input_ready_, false) || (input >= 0 && input_always_ready_)) return Wake::ask_input;
    if (take_one_ready()) continue;
    if (outstanding() == 0 && (input == detail::ProcessEngine::no_input || closed()) && !somebody_leaves())
      return Wake::idle;
    balance();
    if (poll() && input != detail::ProcessEngine::no_input) input_ready_ = true;
  }
  notify_finished();
  return Wake::completions;
}

// A task that could not be taken now may be taken soon: a worker on its way out holds the slot in which it is meant to
// run, or the kernel is to be asked again for one.
bool Coordinator::somebody_leaves() const {
  if (live_ == 0 && may_ask_again_at_ != Nanoseconds::max()) return true;
  return std::any_of(workers_.begin(), workers_.end(),
                     [](const auto& w) { return w && (w->doom != KillReason::none || w->orphaned || w->dying); });
}

// One wait for anything. Workers are looked at when it is time, also when they keep us busy. True: a heartbeat.
bool Coordinator::poll() {
  const auto keys = poller_.wait(patience());
  now_ = os::now();
  ready_.insert(ready_.end(), keys.begin(), keys.end());
  const bool heartbeat = keys.empty() || now_ >= next_heartbeat_;
  if (heartbeat) {
    next_heartbeat_ = now_ + options_.per_sync_timeout;
    static_cast<void>(count_kills_for_memory());
    notify({.kind = EventKind::heartbeat});
  }
  if (options_.stop.stop_requested() && !closed())
    close(Ending::cancelled, "the run was stopped before this task was done");
  if (now_ >= next_look_) look_round();
  return heartbeat;
}

Coordinator::Nanoseconds Coordinator::patience() const {
  Nanoseconds most = std::min(next_heartbeat_, may_ask_again_at_) - now_;
  bool batches = false, idle = live_ < most_workers_, busy = false, waited_for = false;
  for (const auto& worker : workers_) {
    if (!worker) continue;
    batches |= worker->outstanding > 1;
    busy |= worker->outstanding > 0;
    idle |= worker->outstanding == 0;
    waited_for |= !worker->serving || worker->dying;
    most = std::min(most, worker->kill_at - now_);
  }
  if (batches) most = std::min<Nanoseconds>(most, idle && !closed() ? idle_look : batch_look);
  for (const auto limit : {options_.task_timeout, options_.cpu_time})
    if (busy && limit > 0ms) most = std::min(most, std::clamp<Nanoseconds>(limit / 10, 1ms, batch_look));
  if (waited_for) most = std::min<Nanoseconds>(most, 100ms);
  if (const auto due = backlog_.next_due()) most = std::min(most, *due - now_);
  return std::max(most, Nanoseconds(0));
}

// Takes in one thing that the poller reported, or one more chunk of what a dead worker left. False: nothing was left.
bool Coordinator::take_one_ready() {
  for (const auto& worker : workers_)
    if (worker && worker->dying && (!worker->said_all || worker->may_be_buried()))
      return see_death_through(*worker), true;
  if (ready_.empty()) return false;
  const std::uint64_t key = ready_.front();
  ready_.pop_front();
  if (key == input_key) {
    input_ready_ = true;
  } else if (key == stop_key) {
    stop_wake_.clear();
  } else if (key == server_key || key == server_death_key) {
    hear_server();
  } else if (Worker* const worker = workers_[slot_of(key)].get()) {  // null: buried since the poller spoke
    if (is_death(key))
      look_at_death(*worker);
    else
      take_chunk(*worker);
  }
  return true;
}

bool Coordinator::take_chunk(Worker& worker) {
  if (worker.suspect || !worker.inbox().pull_from_pipe(scratch_)) {
    if (worker.inbox().pipe_ended()) poller_.forget(worker.inbox().pipe().get());
    return false;
  }
  if (!take_frames(worker)) distrust(worker);  // what comes after a bad frame means nothing; the ring may still tell
  return true;
}

void Coordinator::distrust(Worker& worker) {
  worker.suspect = true;
  if (worker.dying) return;
  if (worker.doom == KillReason::none)
    end_worker(worker, KillReason::bad_frames, 0ns);
  else
    worker.process().kill();
}

// The pidfd may still be that of a predecessor, or be reported twice.
void Coordinator::look_at_death(Worker& worker) {
  if (worker.dying || !worker.born() || !os::wait_readable(worker.process().pidfd(), 0ms)) return;
  poller_.forget(worker.process().pidfd().get());
  worker.dying = true;
  worker.since = now_;
}

// One chunk at a time: completions refer into the scratch until the caller has had them. How it ended is told by the
// fork server, as a rule while this goes on.
void Coordinator::see_death_through(Worker& worker) {
  if (!worker.said_all) {
    if (take_chunk(worker)) return;
    if (!std::exchange(worker.ring_taken, true) && worker.inbox().pull_from_ring(scratch_)) {
      worker.suspect = !take_frames(worker);
      return;
    }
    worker.said_all = true;
  }
  if (worker.may_be_buried()) bury(worker);
}

void Coordinator::look_round() {
  next_look_ = now_ + std::min<Nanoseconds>(batch_look, std::max<Nanoseconds>(patience(), 1ms));
  if (now_ >= may_ask_again_at_) {
    may_ask_again_at_ = Nanoseconds::max();
    most_workers_ = num_workers_;
  }
  for (const auto& worker : workers_)
    if (worker && completions_.empty()) look_at(*worker);
}

void Coordinator::look_at(Worker& worker) {
  if (worker.dying || !worker.born() || !worker.serving) look_at_birth(worker);
  if (worker.dying) return;
  if (now_ >= worker.kill_at) {
    worker.process().kill();
    worker.kill_at = Nanoseconds::max();
  }
  if (!worker.serving) return;
  worker.look_at_hand(now_);
  look_at_ring(worker);
  if (completions_.empty() && worker.doom == KillReason::none) look_at_time(worker);
}

// A fork server that says nothing where it should has been stopped, or worse: another takes its place.
void Coordinator::look_at_birth(Worker& worker) {
  constexpr auto for_a_fork = 5s, for_a_status = 1s;
  const auto since = now_ - worker.since;
  const bool silent = (!worker.born() && since > for_a_fork) || (worker.dying && !worker.ended && since > for_a_status);
  if (silent && server_) server_->kill();
  if (worker.born() && !worker.dying && worker.doom == KillReason::none && options_.init_timeout > 0ms &&
      since >= options_.init_timeout)
    end_worker(worker, KillReason::init_timed_out, 0ns);
}

// Finished results sit in the ring while their worker is busy with a long task: fetch them.
void Coordinator::look_at_ring(Worker& worker) {
  const bool stranded = worker.outstanding != 0 && worker.inbox().ring_is_ahead();
  if (!stranded || worker.suspect || now_ - worker.hand_since() < batch_look / 2) return;
  if (take_chunk(worker) || !worker.inbox().pull_from_ring(scratch_)) return;
  if (!take_frames(worker)) distrust(worker);
}

// What it has said is taken in first: a task that finished in time while we were busy, or stopped, was not late. But
// one that floods us with output is.
void Coordinator::look_at_time(Worker& worker) {
  const ipc::Record* const front = worker.lane().front();
  if (!worker.look_at_hand(now_) || !front) return;
  announce_start(worker, front->task, front->attempt);
  look_at_processor_time(worker);
  if (worker.doom != KillReason::none) return;
  if (options_.task_timeout == 0ms || now_ - worker.hand_since() < options_.task_timeout) return;
  constexpr int most_chunks = 8;  // more than pipe and ring can hold
  for (int chunk = 0; chunk < most_chunks && take_chunk(worker);)
    if (!completions_.empty() || worker.doom != KillReason::none || ++chunk == most_chunks) break;
  const bool same = worker.look_at_hand(now_) && now_ - worker.hand_since() >= options_.task_timeout;
  if (completions_.empty() && same && worker.doom == KillReason::none)
    end_worker(worker, KillReason::timed_out, options_.kill_grace);
}

void Coordinator::look_at_processor_time(Worker& worker) {
  if (options_.cpu_time == 0ms) return;
  const auto used = os::processor_time(worker.pid());
  if (!used) return;
  if (std::exchange(worker.cpu_hand, worker.hand_since()) != worker.hand_since())
    worker.cpu_before = *used;
  else if (*used - worker.cpu_before >= options_.cpu_time)
    end_worker(worker, KillReason::cpu_time, options_.kill_grace);
}

void Coordinator::watch_input(int input) {
  input_ready_ = false;
  if (input == watched_input_) return;
  if (watched_input_ >= 0 && !input_always_ready_) poller_.forget(watched_input_);
  watched_input_ = input;
  input_always_ready_ = input >= 0 && !poller_.watch(input, input_key);
  std::erase(ready_, input_key);
}

// Workers leave by themselves, so that worker_exit runs and what they printed is flushed.
void Coordinator::finish() {
  now_ = os::now();
  for (const auto& worker : workers_)
    if (worker && worker->doom == KillReason::none) retire(*worker);
  while (live_ != 0) {
    if (!take_one_ready()) poll();
  }
  server_.reset();
  notify({.kind = EventKind::run_finished});
  if (admitted_ != settled_ || !backlog_.empty())
    throw std::logic_error("bulkhead: " + std::to_string(admitted_) + " tasks were taken on and " +
                           std::to_string(settled_) + " outcomes delivered; please report this");
}

}  // namespace bulkhead::process

namespace bulkhead::detail {

class ProcessEngine::State : public process::Coordinator {
  using Coordinator::Coordinator;
};

ProcessEngine::ProcessEngine(std::unique_ptr<TaskBody> body, const WorkOptions& options)
    : state_(std::make_unique<State>(std::move(body), options)) {}

// A copy of the engine in a forked child (a task that calls exit() destroys statics) must leave everything alone.
ProcessEngine::~ProcessEngine() {
  if (state_ && !state_->belongs_to_this_process()) static_cast<void>(state_.release());
}

void ProcessEngine::start() { state_->start(); }
bool ProcessEngine::wants_task() { return state_->wants_task(); }
std::span<std::byte> ProcessEngine::room() { return state_->room(); }
std::span<std::byte> ProcessEngine::large_room(std::size_t size) { return state_->large_room(size); }
void ProcessEngine::add(std::uint64_t task, std::size_t size) { state_->add(task, size); }
void ProcessEngine::add_failed(std::uint64_t task, Failure failure) { state_->add_failed(task, std::move(failure)); }
void ProcessEngine::flush() { state_->flush(); }
Wake ProcessEngine::wait(int input) { return state_->wait(input); }
std::span<Completion> ProcessEngine::completions() noexcept { return state_->completions(); }
std::uint64_t ProcessEngine::outstanding() const noexcept { return state_->outstanding(); }
bool ProcessEngine::closed() const noexcept { return state_->closed(); }
const Failure* ProcessEngine::why_closed() const noexcept { return state_->why_closed(); }
void ProcessEngine::finish() { state_->finish(); }

}  // namespace bulkhead::detail
