// What listeners are told.
#include "process/coordinator.hpp"

namespace bulkhead::process {

using detail::Completion;

// One whose fork server was lost was told to leave, and whether it left in order nobody can say.
void Coordinator::announce_end(const Worker& worker, const Death& death, const ipc::Record& culprit) const {
  if (!options_.on_event) return;  // to explain a crash takes its time
  const bool told = worker.doom == KillReason::retired || (worker.orphaned && worker.doom == KillReason::none);
  if (told && !culprit && (death.left_in_order() || !death.status_known))
    return notify({.kind = EventKind::worker_left, .worker = worker.slot(), .process = worker.pid()});
  Failure failure = judge_death(death);
  worker.explain(failure);
  if (!worker.last_words.empty()) failure.what = worker.last_words;
  notify({.kind = EventKind::worker_died,
          .worker = worker.slot(),
          .process = worker.pid(),
          .ending = failure.ending,
          .failure = &failure});
}

void Coordinator::announce_left(const Worker& worker, const ipc::Record& of, std::size_t count) const {
  notify({.kind = EventKind::processes_left,
          .task = of ? of.task() : 0,
          .attempt = of ? of.attempt() : 0u,
          .worker = worker.slot(),
          .process = worker.pid(),
          .count = count});
}

void Coordinator::announce_start(Worker& worker, std::uint64_t task, unsigned attempt) {
  if (!options_.on_event || worker.announced == task) return;
  worker.announced = task;
  notify({.kind = EventKind::task_started,
          .task = task,
          .attempt = attempt,
          .worker = worker.slot(),
          .process = worker.pid()});
}

void Coordinator::notify_of(EventKind kind, const Worker& worker, const ipc::Record& record,
                            const Failure& failure) const {
  notify({.kind = kind,
          .task = record.task(),
          .attempt = record.attempt(),
          .worker = worker.slot(),
          .process = worker.pid(),
          .ending = failure.ending,
          .failure = &failure});
}

void Coordinator::notify(Event&& event) const {
  if (!options_.on_event) return;
  event.when =
      std::chrono::steady_clock::time_point(now_);  // of this turn: to ask the clock anew costs as much as a task
  options_.on_event(event);
}

void Coordinator::notify_finished() const {
  if (!options_.on_event) return;
  for (const Completion& done : completions_) {
    const auto slot = static_cast<std::size_t>(done.stats.worker);
    notify({.kind = EventKind::task_finished,
            .task = done.task,
            .attempt = done.stats.attempts,
            .worker = done.stats.worker,
            .process = slot < workers_.size() && workers_[slot] ? workers_[slot]->pid() : 0,
            .ending = done.stats.ending,
            .failure = done.failure,
            .stats = done.stats.unpack()});
  }
}

}  // namespace bulkhead::process
