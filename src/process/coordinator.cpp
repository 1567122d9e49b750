#include "process/coordinator.hpp"

#include "os/clock.hpp"
#include "os/frame_names.hpp"
#include "os/random.hpp"
#include "os/sandbox.hpp"
#include "process/poll_keys.hpp"
#include "process/process_options.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace bulkhead::process {

using namespace std::chrono_literals;
using detail::Wake;

namespace {

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
      queue_(num_workers_ + 1, arena_bytes(options)),
      first_directly_(may_fork_directly()),
      workers_(num_workers_),
      idle_(num_workers_),
      may_have_room_(num_workers_),
      most_workers_(num_workers_),
      respawn_(options_.respawn),
      spare_policy_(num_workers_),
      parallelism_(num_workers_),
      random_(static_cast<std::minstd_rand::result_type>(os::random_number())) {
  if (options_.isolation == Isolation::pid) spare_policy_.stop_trying();  // a server that is lost costs tasks there
  completions_.reserve(4096);
  if (options_.stop.stop_possible() || options_.drain.stop_possible()) poller_.watch(stop_wake_.fd().get(), stop_key);
  on_stop_.emplace(options_.stop, [this] { stop_wake_.notify(); });
  on_drain_.emplace(options_.drain, [this] { stop_wake_.notify(); });
  began_ = now_ = os::now();
  cpu_at_start_ = os::thread_cpu_time();
  next_look_ = now_;
  next_look_for_deaths_ = now_ + between_looks_for_deaths;
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
  on_drain_.reset();
  for (const auto& worker : workers_)
    if (worker) kill_worker(*worker);
  server_.reset();
  for (const auto& worker : workers_) {  // those of whom no fork server tells
    if (!worker || !worker->born() || worker->dying || !(worker->orphaned || is_direct(*worker))) continue;
    if (os::wait_readable(worker->process().pidfd(), 2s)) reap_without_server(*worker);
  }
  if (!whole_) end_what_came_to_us();  // else it was done, and what came then is the host's
  direct_.reset();                     // while that one's pidfd stands
  os::close_debug_information();
}

bool Coordinator::belongs_to_this_process() const noexcept { return os::process_identity() == owner_; }

void Coordinator::add_failed(std::uint64_t task, Failure failure) {
  if (large_) queue_.release(*std::exchange(large_, std::nullopt));
  ++admitted_;
  ++never_dealt_;
  end_task(task, 0, 0, std::move(failure));
}

Wake Coordinator::wait(int input) {
  completions_.clear();
  failures_.clear();
  close_fill();
  watch_input(input);
  with_caller_ = false;
  for (EndedTask& early : ended_early_) end_task(early.task, early.attempts, early.worker, std::move(early.failure));
  ended_early_.clear();
  const Wake wake = wait_for_completions(input);
  with_caller_ = true;
  return wake;
}

Wake Coordinator::wait_for_completions(int input) {
  while (completions_.empty()) {
    if (std::exchange(input_ready_, false) || (input >= 0 && input_always_ready_)) return Wake::ask_input;
    if (take_one_ready()) continue;
    if (outstanding() == 0 && (input == detail::ProcessEngine::no_input || closed()) && !somebody_leaves())
      return Wake::idle;
    balance();
    prepare_for_successor();
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
  fork_direct_worker();
  admit_newcomers();
  const auto keys = poller_.wait(patience());
  ++counted_.coordinator_wakeups;
  now_ = os::now();
  ready_.insert(ready_.end(), keys.begin(), keys.end());
  const bool heartbeat = keys.empty() || now_ >= next_heartbeat_;
  if (heartbeat) {
    next_heartbeat_ = now_ + options_.per_sync_timeout;
    notify({.kind = EventKind::heartbeat});
  }
  if (options_.stop.stop_requested() && !std::exchange(stopped_, true))
    close(Ending::cancelled, "the run was stopped before this task was done");
  if (options_.drain.stop_requested())
    stop_dealing(Ending::cancelled, "the run was stopped before this task was started");
  if (now_ >= next_look_) look_round();
  return heartbeat;
}

// Takes in one thing that the poller reported, or one more chunk of what a dead worker left. False: nothing was left.
bool Coordinator::take_one_ready() {
  if (standing_.dying != 0)
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
  } else if (key == server_key) {
    hear_server();
  } else if (key == server_death_key) {
    look_at_server();
  } else if (Worker* const worker = workers_[slot_of(key)].get()) {  // null: buried since the poller spoke
    switch (sign_of(key)) {
      case Sign::frames:
        take_chunk(*worker);
        break;
      case Sign::death:
        has_ended(*worker);
        break;
      case Sign::words:
        pass_on_words(*worker);
        break;
    }
  }
  return true;
}

// Where nobody takes them now, they are looked at again at the next round.
void Coordinator::pass_on_words(Worker& worker) {
  if (worker.words.pass_on() == os::Tee::Passed::something) return;
  poller_.forget(worker.words.from().get());
  worker.words_wait = true;
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
  if (has_ended(worker)) return;
  if (worker.doom == KillReason::none)
    end_worker(worker, KillReason::bad_frames, 0ns);
  else
    worker.process().kill();
}

// One chunk at a time: completions refer into the scratch until the caller has had them. How it ended is
// known by then, as a rule.
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
  finishing_ = true;
  dismiss_spare();
  if (server_) server_->let_leave();
  while (live_ != 0) {
    if (!take_one_ready()) poll();
  }
  queue_.unmap();  // while the fork server leaves
  server_.reset();
  end_what_came_to_us();
  whole_ = statistics();
  notify({.kind = EventKind::run_finished, .statistics = &*whole_});
  if (admitted_ != settled_ || !backlog_.empty())
    throw std::logic_error("bulkhead: " + std::to_string(admitted_) + " tasks were taken on and " +
                           std::to_string(settled_) + " outcomes delivered; please report this");
}

WorkStatistics Coordinator::counts() const noexcept {
  if (whole_) return *whole_;
  WorkStatistics counts = counted_;
  counts.tasks = settled_;
  counts.dealt += fed();
  return counts;
}

WorkStatistics Coordinator::statistics() const noexcept {
  WorkStatistics all = counts();
  if (whole_) return all;
  all.wall_time = os::now() - began_;
  all.coordinator_cpu_time = os::thread_cpu_time() - cpu_at_start_;
  return all;
}

}  // namespace bulkhead::process
