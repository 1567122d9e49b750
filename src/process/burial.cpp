// A worker that died is buried: what killed it, whose fault that was, and what becomes of the tasks it held.
#include "os/limits.hpp"
#include "process/coordinator.hpp"

#include <utility>

namespace bulkhead::process {

using namespace std::chrono_literals;

void Coordinator::bury(Worker& alive) {
  const std::unique_ptr<Worker> dead = take_out(alive);
  Worker& worker = *dead;
  const bool at_birth = !worker.serving;
  const auto in_hand = at_birth ? ipc::Record() : worker.record_in_hand();
  const ipc::Record culprit = in_hand.value_or(ipc::Record());
  while (worker.words.pass_on() == os::Tee::Passed::something) {
  }
  const Death death = death_of(worker, culprit);

  if (worker.ended && worker.ended->max_rss != 0) {  // measured
    ++counted_.workers_ended;
    counted_.workers_cpu_time += worker.ended->user_time + worker.ended->system_time;
  }
  announce_end(worker, death, culprit);
  if (worker.ended && worker.ended->left != 0) {
    worker.left += worker.ended->left;
    announce_left(worker, culprit, worker.ended->left);
  }
  if (culprit) settle_death(worker, culprit, death);
  redeal_rest(worker, culprit, !in_hand);
  if (!culprit && !worker.orphaned) count_death(worker, death);
}

Death Coordinator::death_of(const Worker& worker, const ipc::Record& culprit) {
  Death death{.reason = worker.doom,
              .task_timeout = options_.task_timeout,
              .init_timeout = options_.init_timeout,
              .cpu_time = options_.cpu_time,
              .memory_limit = options_.memory_limit,
              .file_size = options_.file_size};
  death.status_known = worker.ended && worker.ended->status.known;
  if (death.status_known) {
    death.signaled = worker.ended->status.signaled;
    death.number = worker.ended->status.number;
  }
  death.allocation_refused = culprit && worker.was_refused_memory();
  if (death.signaled && death.number == kill_signal && worker.doom == KillReason::none)
    death.killed_for_memory = kills_for_memory_.claim();
  return death;
}

void Coordinator::settle_death(Worker& worker, const ipc::Record& culprit, const Death& death) {
  Failure failure = judge_death(death);
  worker.explain(failure);
  announce_start(worker, culprit.task(), culprit.attempt());
  const std::size_t before = completions_.size();
  settle_failure(worker, culprit, std::move(failure));
  if (completions_.size() == before) return;
  auto& stats = completions_.back().stats;
  if (worker.hand_since() > 0ns) stats.ran_ns = static_cast<float>((now_ - worker.hand_since()).count());
  stats.peak_rss =
      worker.ended && worker.ended->max_rss != 0 ? detail::RoundedKib(worker.ended->max_rss) : worker.peak_rss;
}

// What the dead worker had not started goes on elsewhere, uncharged. Where its page cannot be believed, any of them
// may be the one it died of: they are dealt one at a time, so that the next death names its task.
void Coordinator::redeal_rest(Worker& worker, const ipc::Record& culprit, bool all_suspect) {
  const Failure lost = judge_death({.reason = KillReason::bad_frames});
  worker.lane().for_each([&](const ipc::Record& record) {
    if (record == culprit || record.mark() == ipc::Mark::moved) return;
    PendingTask task = pending_from(record);
    task.alone = all_suspect;
    ++counted_.taken_back;
    if (closed()) return end_pending(std::move(task), Failure(*closed_));
    if (all_suspect) notify_of(EventKind::attempt_lost, worker, record, lost);
    backlog_.add(std::move(task));
  });
}

// A death that hit no task says something about the next one only if the worker had not done anything yet.
void Coordinator::count_death(const Worker& worker, const Death& death) {
  const bool ours = worker.doom != KillReason::none && worker.doom != KillReason::init_timed_out;
  if (ours || worker.answers != 0) return;
  const bool killed = death.reason == KillReason::none && death.signaled && death.number == kill_signal;
  const bool slow = worker.doom == KillReason::init_timed_out;
  if (!respawn_.is_enough(slow ? IdleDeath::too_slow : killed ? IdleDeath::killed : IdleDeath::by_itself, now_)) return;
  std::string words = worker.last_words.empty() ? describe_death(death) : worker.last_words;
  if (worker.last_words.empty() && death.status_known && death.signaled) {
    Failure failure = judge_death(death);
    worker.explain(failure);  // where it was
    words = failure.describe();
  }
  if (options_.worker_init && !worker.serving && !slow) words = "worker_init: " + words;
  close(Ending::abandoned, "given up after " + std::to_string(respawn_.deaths()) +
                               " workers in a row died before they had done anything; the last one: " + words);
}

}  // namespace bulkhead::process
