// The coordinator's dealing: which worker gets the next task, and what is taken back from whom.
#include "os/clock.hpp"
#include "process/coordinator.hpp"

#include <algorithm>
#include <cstring>
#include <system_error>

namespace bulkhead::process {

using namespace std::chrono_literals;

std::size_t Coordinator::quota_of(Worker& worker) const noexcept {
  if (!worker.accepts()) return 0;
  // After memory ran out fewer tasks run at once, and none waits behind another.
  if (parallelism_.lowered()) return worker.outstanding == 0 && busy_workers() < parallelism_.allowed() ? 1 : 0;
  // As long as workers can be added, one that has proved nothing gets no second task.
  const bool unproven = worker.pace().mean() == 0ns && live_ < most_workers_;
  const std::size_t depth = unproven ? 1 : worker.pace().depth();
  std::size_t quota = depth > worker.outstanding ? depth - worker.outstanding : 0;
  if (worker.most_tasks != 0) quota = std::min(quota, worker.most_tasks - worker.dealt);
  return quota != 0 && worker.lane().room() == nullptr ? 0 : quota;
}

std::size_t Coordinator::busy_workers() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(workers_.begin(), workers_.end(), [](const auto& w) { return w && w->outstanding != 0; }));
}

// An idle worker first, then a new one; then the lane that is emptiest for its depth, once it is half empty.
Worker* Coordinator::worker_to_fill(bool may_deepen) {
  Worker* best = nullptr;
  for (const auto& worker : workers_) {
    if (!worker || quota_of(*worker) == 0) continue;
    if (worker->outstanding == 0) return worker.get();
    if (worker->outstanding * 2 > worker->pace().depth()) continue;
    if (!best || worker->outstanding < best->outstanding) best = worker.get();
  }
  if (live_ < most_workers_ && (!parallelism_.lowered() || busy_workers() < parallelism_.allowed()))
    if (Worker* fresh = start_worker()) return fresh;
  return may_deepen ? best : nullptr;
}

bool Coordinator::open_lane_to_fill() {
  close_fill();
  if (closed()) return false;
  deal_backlog();
  if (backlog_.has_ready(now_)) return false;  // what was admitted earlier goes first
  Worker* const worker = worker_to_fill(true);
  if (!worker) return false;
  filling_ = worker;
  quota_ = quota_of(*worker);
  if (quota_ == 0) return false;
  if (worker->outstanding == 0) worker->last_taken = now_ = os::now();
  input_pace_.begin_anew();
  input_pace_.handed_over(now_);
  room_ = worker->lane().room();
  return true;
}

void Coordinator::close_fill() {
  publish_fill();
  filling_ = nullptr;
  quota_ = 0;
}

void Coordinator::publish_fill() {
  count_batch(fed() - std::exchange(fed_when_counted_, fed()));
  if (!filling_) return;
  if (filling_->publish(now_)) {
    now_ = os::now();  // a wake-up costs more than many items: it is not the input's time
    ++counted_.worker_wakeups;
  }
  input_pace_.handed_over(now_);
}

void Coordinator::count_batch(std::uint64_t tasks) noexcept {
  counted_.batches += tasks != 0;
  counted_.largest_batch = std::max(counted_.largest_batch, tasks);
}

// The input may keep us for long, and a worker may take nothing before its birth was heard of.
void Coordinator::flush() {
  publish_fill();
  constexpr auto for_a_birth = 5s;
  while (server_ && filling_ && !filling_->born()) {
    if (!os::wait_readable(server_->socket(), for_a_birth)) server_->kill();
    now_ = os::now();
    hear_server();
  }
}

// A sleeping worker is woken once per fill, not once per task; but an input that takes its time must not keep to itself
// what workers could be doing.
void Coordinator::look_at_input() {
  const auto before = std::exchange(now_, os::now());
  if (input_pace_.hand_over(before, now_)) flush();
}

std::span<std::byte> Coordinator::large_room(std::size_t size) {
  try {
    large_ = queue_.allocate(size);
  } catch (const std::system_error&) {  // memory is short now; when tasks have ended there may be some
    large_.reset();
  }
  return large_ ? queue_.bytes(*large_) : std::span<std::byte>{};
}

void Coordinator::deal_backlog() {
  while (backlog_.has_ready(now_) && !closed()) {
    Worker* const worker = worker_to_fill(!backlog_.front().alone);
    if (!worker || (backlog_.front().alone && worker->outstanding != 0)) return;
    deal(*worker, backlog_.take());
  }
}

void Coordinator::deal(Worker& worker, PendingTask task) {
  if (worker.outstanding == 0) worker.last_taken = now_;
  if (task.placed) {
    worker.lane().put(task.task, task.attempt, *task.placed);
  } else {
    std::copy(task.item.begin(), task.item.end(), worker.lane().room());
    worker.lane().put(task.task, task.attempt, task.item.size());
  }
  ++worker.outstanding;
  ++worker.dealt;
  worker.alone = task.alone;
  counted_.worker_wakeups += worker.publish(now_);
  ++counted_.dealt;
  counted_.item_bytes += task.placed ? task.placed->size : task.item.size();
  count_batch(1);
}

// A worker with nothing to do, and nothing to be dealt: it gets half of what another has not started.
void Coordinator::balance() {
  if (closed()) return;
  deal_backlog();
  if (backlog_.has_ready(now_)) return;
  const bool hands_free = live_ < most_workers_ || std::any_of(workers_.begin(), workers_.end(), [](const auto& w) {
                            return w && w->accepts() && w->outstanding == 0;
                          });
  if (!hands_free) return;
  Worker* richest = nullptr;
  for (const auto& worker : workers_) {
    if (!worker || worker->outstanding < 2) continue;
    const auto mean = worker->pace().mean();
    worker->look_at_hand(now_);
    const bool stuck = now_ - worker->hand_since() > 1ms;
    const bool long_enough = mean == 0ns || mean * worker->outstanding > 200us;
    if ((long_enough || stuck) && (!richest || worker->outstanding > richest->outstanding)) richest = worker.get();
  }
  if (!richest) return;
  take_back_from(*richest, richest->outstanding / 2);
  deal_backlog();
}

void Coordinator::take_back_from(Worker& worker, std::size_t most) {
  std::vector<PendingTask> taken;
  worker.take_back(most, [&](const ipc::Record& record) { taken.push_back(pending_from(record, worker.lane())); });
  counted_.taken_back += taken.size();
  for (PendingTask& task : taken) backlog_.add(std::move(task));
}

PendingTask Coordinator::pending_from(const ipc::Record& record, ipc::LaneWriter& lane) const {
  PendingTask task;
  task.task = record.task;
  task.attempt = record.attempt;
  if (record.form == ipc::RecordForm::in_arena) {
    task.placed = lane.place(record);
  } else {
    const auto item = lane.inlined(record);
    task.item.assign(item.begin(), item.end());
  }
  return task;
}

}  // namespace bulkhead::process
