// What the coordinator sees when it looks round: tasks that are late, workers that are stuck, a fork server that is
// silent.
#include "os/descendants.hpp"
#include "os/limits.hpp"
#include "process/coordinator.hpp"
#include "process/poll_keys.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace bulkhead::process {

using namespace std::chrono_literals;

namespace {

constexpr auto batch_look = 20ms;  // two and a half times this, and a finished result is taken, whatever comes next
constexpr auto idle_look = 2ms;    // no worker stays idle longer while another holds tasks it has not started

}  // namespace

Coordinator::Nanoseconds Coordinator::patience() const {
  if (look_on_from_) return Nanoseconds(0);
  Nanoseconds most = std::min(next_heartbeat_, may_ask_again_at_) - now_;
  const bool idle = live_ < most_workers_ || standing_.busy < live_;
  if (next_kill_ != Nanoseconds::max()) most = std::min(most, next_kill_ - now_);
  if (standing_.several != 0) most = std::min<Nanoseconds>(most, idle && !closed() ? idle_look : batch_look);
  for (const auto limit : {options_.task_timeout, options_.cpu_time})
    if (standing_.busy != 0 && limit > 0ms) most = std::min(most, std::clamp<Nanoseconds>(limit / 10, 1ms, batch_look));
  if (live_ != 0) most = std::min(most, next_look_for_deaths_ - now_);
  if (standing_.awaited != 0) most = std::min<Nanoseconds>(most, 100ms);
  if (!spare_policy_.wants_spare(now_)) most = std::min(most, spare_policy_.pressed_until() - now_);
  if (const auto due = backlog_.next_due()) most = std::min(most, *due - now_);
  return std::max(most, Nanoseconds(0));
}

void Coordinator::look_round() {
  const std::size_t first = std::exchange(look_on_from_, std::nullopt).value_or(0);
  recount_all();
  next_look_ = now_ + std::min<Nanoseconds>(batch_look, std::max<Nanoseconds>(patience(), 1ms));
  look_at_server();  // first: if we were stopped for long, what it said meanwhile was said in time
  look_for_deaths();
  if (now_ >= may_ask_again_at_) {
    may_ask_again_at_ = Nanoseconds::max();
    most_workers_ = num_workers_;
  }
  next_kill_ = Nanoseconds::max();
  for (std::size_t n = 0; n < workers_.size(); ++n) {
    const std::size_t slot = (first + n) % workers_.size();
    const auto& worker = workers_[slot];
    if (worker && completions_.empty())
      look_at(*worker);
    else if (worker && !look_on_from_)
      look_on_from_ = slot;
    if (worker && !worker->dying) next_kill_ = std::min(next_kill_, worker->kill_at);
    if (worker && std::exchange(worker->words_wait, false))
      poller_.watch(worker->words.from().get(), key_of(static_cast<std::size_t>(worker->slot()), Sign::words));
  }
  if (look_on_from_) next_look_ = now_;
}

void Coordinator::look_at(Worker& worker) {
  if (worker.dying || !worker.born() || !worker.serving) look_at_birth(worker);
  if (worker.dying) return;
  if (now_ >= worker.kill_at && !has_ended(worker)) {
    if (worker.doom == KillReason::retired) worker.doom = KillReason::exit_timed_out;
    kill_worker(worker);
    worker.kill_at = Nanoseconds::max();
  }
  if (!worker.serving || worker.dying) return;
  worker.look_at_hand(now_);
  if (completions_.empty()) look_at_ring(worker);
  if (completions_.empty() && worker.doom == KillReason::none) look_at_time(worker);
  if (completions_.empty() && worker.doom == KillReason::none) look_whether_it_works(worker);
}

// Asleep it wakes by itself every half a second: one that takes nothing for longer was stopped, or its main thread is
// gone. What it holds goes on elsewhere.
void Coordinator::look_whether_it_works(Worker& worker) {
  constexpr auto long_enough = 2s;
  const auto since = worker.ignoring_since();
  if (since && now_ - *since >= long_enough && !take_chunk(worker) && worker.ignoring_since() == since)
    end_late(worker, KillReason::unresponsive, 0ns);
}

// A fork server that says nothing where it should has been stopped, or worse: another takes its place.
void Coordinator::look_at_birth(Worker& worker) {
  constexpr auto for_a_fork = 5s, for_a_status = 1s;
  const auto since = now_ - worker.since;
  // Many are asked for at once, and forked one after the other.
  const bool unheard = !worker.born() && now_ - std::max(worker.since, fork_answered_) > for_a_fork;
  const bool silent = unheard || (worker.dying && !worker.ended && since > for_a_status);
  if (silent && server_) server_->kill();
  if (!worker.admitted() || worker.dying || worker.doom != KillReason::none) return;
  // By itself it wakes every half a second; and to begin takes none of the user's code.
  constexpr auto to_wake_up = 2s, to_begin = 10s;
  const bool stopped =
      worker.sleeps_before_setting_up() ? since >= to_wake_up : !options_.worker_init && since >= to_begin;
  const bool late = options_.init_timeout > 0ms && since >= options_.init_timeout;
  if ((late || stopped) && !take_chunk(worker) && !worker.serving)
    end_late(worker, stopped ? KillReason::unresponsive : KillReason::init_timed_out, 0ns);
}

// Finished results sit in the ring while their worker is busy with a long task, or in a group that it took for tiny and
// reads no clock in: fetch them.
void Coordinator::look_at_ring(Worker& worker) {
  const bool stranded = worker.outstanding != 0 && worker.inbox().ring_is_ahead();
  if (!stranded || worker.suspect || now_ - worker.last_taken < batch_look / 2) return;
  if (take_chunk(worker) || !worker.inbox().pull_from_ring(scratch_)) return;
  if (!take_frames(worker)) distrust(worker);
}

// What it has said is taken in first: a task that finished in time while we were busy, or stopped, was not late. But
// one that floods us with output is.
void Coordinator::look_at_time(Worker& worker) {
  const ipc::Record front = worker.lane().front();
  if (!worker.look_at_hand(now_) || !front) return;
  if (worker.runs_its_front()) announce_start(worker, front.task(), front.attempt());
  look_at_processor_time(worker);
  if (worker.doom != KillReason::none) return;
  if (options_.task_timeout == 0ms || now_ - worker.hand_since() < options_.task_timeout) return;
  constexpr int most_chunks = 8;  // more than pipe and ring can hold
  for (int chunk = 0; chunk < most_chunks && take_chunk(worker);)
    if (!completions_.empty() || worker.doom != KillReason::none || ++chunk == most_chunks) break;
  const bool same = worker.look_at_hand(now_) && now_ - worker.hand_since() >= options_.task_timeout;
  if (completions_.empty() && same && worker.doom == KillReason::none)
    end_late(worker, KillReason::timed_out, options_.kill_grace);
}

void Coordinator::look_at_processor_time(Worker& worker) {
  if (options_.cpu_time == 0ms) return;
  const auto used = os::processor_time(worker.pid());
  if (!used) return;
  if (std::exchange(worker.cpu_hand, worker.hand_since()) != worker.hand_since())
    worker.cpu_before = *used;
  else if (*used - worker.cpu_before >= options_.cpu_time)
    end_late(worker, KillReason::cpu_time, options_.kill_grace);
}

// Unless it has ended by itself, and nobody has said so yet.
void Coordinator::end_late(Worker& worker, KillReason reason, Nanoseconds grace) {
  if (!has_ended(worker)) end_worker(worker, reason, grace);
}

// By its pidfd.
bool Coordinator::has_ended(Worker& worker) {
  if (!worker.dying && worker.born() && os::wait_readable(worker.process().pidfd(), 0ms)) note_death(worker);
  return worker.dying;
}

void Coordinator::note_death(Worker& worker) {
  if (worker.dying) return;
  worker.dying = true;
  note_for_spares(worker);
  worker.since = now_;
  recount(worker);
  if (is_direct(worker) || (worker.orphaned && !worker.ended)) reap_without_server(worker);
}

// Otherwise we are told of them, unless the fork server was stopped.
void Coordinator::look_for_deaths() {
  if (now_ < next_look_for_deaths_) return;
  next_look_for_deaths_ = now_ + between_looks_for_deaths;
  for (const auto& worker : workers_)
    if (worker) has_ended(*worker);
  if (standing_.dying == 0) kills_for_memory_.forget_old();
}

}  // namespace bulkhead::process
