// The coordinator's dealing: which worker gets the next task, and what is taken back from whom.
#include "os/clock.hpp"
#include "process/coordinator.hpp"

#include <algorithm>
#include <cstring>
#include <system_error>

namespace bulkhead::process {

using namespace std::chrono_literals;

std::size_t Coordinator::quota_of(Worker& worker) const noexcept {
  const ipc::LargeItems large = worker.lane().large();
  if (!worker.accepts() || worker.pace().enough(large.count, large.bytes)) return 0;
  // After memory ran out fewer tasks run at once, and none waits behind another.
  if (parallelism_.lowered()) return worker.outstanding == 0 && standing_.busy < parallelism_.allowed() ? 1 : 0;
  // As long as workers can be added, one that has proved nothing gets no second task.
  const bool unproven = worker.pace().mean() == 0ns && live_ < most_workers_;
  const std::size_t depth = unproven ? 1 : worker.pace().depth();
  std::size_t quota = depth > worker.outstanding ? depth - worker.outstanding : 0;
  if (worker.most_tasks != 0) quota = std::min(quota, worker.most_tasks - worker.dealt);
  return quota != 0 && worker.lane().room() == nullptr ? 0 : quota;
}

// To be called when something has changed that a worker is counted by, or that may give it room.
void Coordinator::recount(Worker& worker) noexcept {
  standing_ -= worker.counted_as;
  standing_ += worker.counted_as = worker.standing();
  if (!worker.accepts()) return;
  const auto slot = static_cast<std::size_t>(worker.slot());
  if (worker.outstanding == 0) idle_.insert(slot);
  may_have_room_.insert(slot);
}

void Coordinator::recount_all() noexcept {
  for (const auto& worker : workers_)
    if (worker) recount(*worker);
}

template <class Fits>
Worker* Coordinator::first_to_fill(SlotSet& among, std::size_t from, Fits&& fits) {
  for (auto slot = among.next(from); slot; slot = among.next(*slot + 1)) {
    Worker* const worker = workers_[*slot].get();
    if (worker && fits(*worker) && quota_of(*worker) != 0) return worker;
    if (!parallelism_.lowered()) among.erase(*slot);  // else others decide over its room
  }
  return nullptr;
}

bool Coordinator::more_may_start() const noexcept {
  return live_ < most_workers_ && (!parallelism_.lowered() || standing_.busy < parallelism_.allowed());
}

// An idle worker first, then a new one; then the next in whose lane a quarter of its depth is free: what is left lasts
// until the next results are heard of, and a batch of them is worth filling up for.
Worker* Coordinator::worker_to_fill(bool may_deepen) {
  if (Worker* idle = idle_worker()) return idle;
  if (more_may_start())
    if (Worker* fresh = start_worker()) return fresh;
  Worker* const next = may_deepen ? worker_with_room() : nullptr;
  if (next) filled_last_ = static_cast<std::size_t>(next->slot());
  return next;
}

Worker* Coordinator::idle_worker() {
  return first_to_fill(idle_, 0, [](const Worker& w) { return w.outstanding == 0; });
}

Worker* Coordinator::worker_with_room() {
  const auto has_room = [](Worker& w) {
    const ipc::LargeItems large = w.lane().large();
    return w.outstanding * 4 <= w.pace().depth() * 3 && !w.pace().enough(large.count, large.bytes * 2);
  };
  Worker* const next = first_to_fill(may_have_room_, filled_last_ + 1, has_room);
  return next ? next : first_to_fill(may_have_room_, 0, has_room);
}

// Starts nobody: who asks may be at the end of its input, and only not know it yet.
bool Coordinator::wants_task() {
  return can_fill_on() || (may_deal_new() && (idle_worker() || more_may_start() || worker_with_room()));
}

// What was admitted earlier goes first.
bool Coordinator::may_deal_new() {
  close_fill();
  hear_of_births();
  if (closed()) return false;
  deal_backlog();
  return !backlog_.has_ready(now_);
}

bool Coordinator::open_lane_to_fill() {
  if (!may_deal_new()) return false;
  Worker* const worker = worker_to_fill(true);
  if (!worker) return false;
  filling_ = worker;
  quota_ = quota_of(*worker);
  if (quota_ == 0) return false;
  if (worker->outstanding == 0) worker->last_taken = now_ = os::now();
  input_pace_.begin_anew();
  input_pace_.handed_over(now_);
  return true;
}

static_assert(detail::ItemRow::room == ipc::max_inlined);
static_assert(detail::ItemRow::head == sizeof(ipc::Row));
static_assert(detail::ItemRow::pitch(0) == ipc::Row::pitch(ipc::RowForm::inlined, 0));
static_assert(detail::ItemRow::pitch(9) == ipc::Row::pitch(ipc::RowForm::inlined, 9));

detail::ItemRow Coordinator::row() {
  if (!can_fill_on() && !open_lane_to_fill()) return {};
  ipc::LaneWriter& lane = filling_->lane();
  return {lane.room(), lane.last_room(), std::min(quota_, input_pace_.until_look())};
}

void Coordinator::add(std::uint64_t task, std::size_t count, std::size_t size) {
  filling_->lane().put(task, 1, size, count);
  counted_.item_bytes += count * size;
  note_added(count);
}

void Coordinator::add_large(std::uint64_t task) {
  counted_.item_bytes += large_->size;
  filling_->lane().put(task, 1, *std::exchange(large_, std::nullopt));
  note_added(1);
  if (quota_ != 0) quota_ = std::min(quota_, quota_of(*filling_));  // nought: the lane may be closed already
}

void Coordinator::note_added(std::size_t count) {
  admitted_ += count;
  quota_ -= count;
  filling_->outstanding += count;
  filling_->dealt += count;
  if (input_pace_.look_is_due(count)) look_at_input();
}

void Coordinator::close_fill() {
  publish_fill();
  if (filling_) recount(*std::exchange(filling_, nullptr));
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

// The input may keep us for long, and a worker may take nothing before its birth was heard of: all are waited for.
void Coordinator::flush() {
  publish_fill();
  fork_direct_worker();
  constexpr auto for_a_birth = 5s;
  while (awaits_births()) {
    if (!os::wait_readable(server_->socket(), for_a_birth)) server_->kill();
    now_ = os::now();
    look_at_server();
  }
}

bool Coordinator::awaits_births() const noexcept { return server_ && standing_.unborn != 0; }

// In passing, whenever an item needs a lane: so a slow input keeps nobody from his tasks who was born before its last
// item.
void Coordinator::hear_of_births() {
  if (awaits_births() && os::wait_readable(server_->socket(), 0ms)) look_at_server();
}

// A sleeping worker is woken once per fill, not once per task; but an input that takes its time must not keep to itself
// what workers could be doing. Looked at where a row ends, and nowhere else: the lane may have been closed behind it.
void Coordinator::look_at_input() {
  const auto before = std::exchange(now_, os::now());
  if (!input_pace_.hand_over(before, now_)) return;
  constexpr auto as_a_birth = 1ms;  // about: who was kept so long can wait for births as well
  if (now_ - before >= as_a_birth) return flush();
  publish_fill();
  hear_of_births();
}

std::span<std::byte> Coordinator::large_room(std::size_t size) {
  try {
    large_ = queue_.allocate(size);
  } catch (const std::system_error&) {  // memory is short now; when tasks have ended there may be some
    large_.reset();
  }
  return large_ ? queue_.bytes(*large_) : std::span<std::byte>{};
}

// What was taken back goes first to those for whom it was: who has nothing to do.
void Coordinator::deal_backlog(Among among) {
  while (backlog_.has_ready(now_) && !closed()) {
    const bool alone = backlog_.front().alone, idle_only = among == Among::idle;
    Worker* const worker = worker_to_fill(!alone && !idle_only);
    if (!worker || (alone && worker->outstanding != 0)) return;
    deal(*worker, backlog_.ready() / (idle_only ? std::max<std::size_t>(1, live_ - standing_.busy) : 2 * live_));
  }
}

// At most so many, but one at least. They are published together: that costs as much as ten tiny tasks.
void Coordinator::deal(Worker& worker, std::size_t most) {
  if (worker.outstanding == 0) worker.last_taken = now_;
  std::size_t dealt = 0;
  do put(worker, backlog_.take());
  while (++dealt < most && backlog_.has_ready(now_) && !backlog_.front().alone && quota_of(worker) != 0);
  counted_.worker_wakeups += worker.publish(now_);
  counted_.dealt += dealt;
  count_batch(dealt);
  recount(worker);
}

void Coordinator::put(Worker& worker, const PendingTask& task) {
  if (task.placed) {
    worker.lane().put(task.task, task.attempt, *task.placed);
  } else {
    std::copy(task.item.begin(), task.item.end(), worker.lane().room());
    worker.lane().put(task.task, task.attempt, task.item.size());
  }
  ++worker.outstanding;
  ++worker.dealt;
  worker.alone = task.alone;
  counted_.item_bytes += task.placed ? task.placed->size : task.item.size();
}

// Workers with nothing to do, and nothing to be dealt: they get what they may hold, up to half of what another has not
// started.
void Coordinator::balance() {
  if (closed()) return;
  deal_backlog();
  if (backlog_.has_ready(now_)) return;
  constexpr auto between = 100us;  // looking at all of them is not free
  const bool hands_free = live_ < most_workers_ || standing_.busy < live_;
  if (!hands_free || standing_.several == 0 || now_ - balanced_ < between) return;
  balanced_ = now_;
  Worker* richest = nullptr;
  std::size_t wanted = more_may_start() ? most_workers_ - live_ : 0;
  for (const auto& worker : workers_) {
    if (worker && worker->outstanding == 0) wanted += quota_of(*worker);
    if (!worker || worker->outstanding < 2) continue;
    const auto mean = worker->pace().mean();
    worker->look_at_hand(now_);
    const bool stuck = now_ - worker->hand_since() > 1ms;
    const bool long_enough = mean == 0ns || mean * worker->outstanding > 200us;
    if ((long_enough || stuck) && (!richest || worker->outstanding > richest->outstanding)) richest = worker.get();
  }
  if (!richest || wanted == 0) return;
  take_back_from(*richest, std::min(wanted, richest->outstanding / 2));
  deal_backlog(Among::idle);
  deal_backlog();
}

void Coordinator::take_back_from(Worker& worker, std::size_t most) {
  worker.take_back(most, [this](const ipc::Record& record) {
    backlog_.add(pending_from(record));
    ++counted_.taken_back;
  });
  recount(worker);
}

PendingTask Coordinator::pending_from(const ipc::Record& record) {
  PendingTask task;
  task.task = record.task();
  task.attempt = record.attempt();
  if (record.in_arena())
    task.placed = record.place();
  else
    task.item.assign(record.inlined().begin(), record.inlined().end());
  return task;
}

}  // namespace bulkhead::process
