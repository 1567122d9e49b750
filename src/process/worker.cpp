#include "process/worker.hpp"

#include "os/clock.hpp"
#include "os/frame_names.hpp"
#include "os/remote_fence.hpp"

#include <algorithm>
#include <utility>

namespace bulkhead::process {

void Worker::be_born(os::ProcessHandle process, std::chrono::nanoseconds now) noexcept {
  process_ = std::move(process);
  since = now;
}

void Worker::admit() noexcept {
  if (std::exchange(admitted_, true)) return;
  since = os::now();
  lane_.admit(seed_, static_cast<std::uint32_t>(slot_));
}

bool Worker::publish(std::chrono::nanoseconds now) {
  if (!lane_.unpublished()) return false;
  lane_.publish();
  if (published_.size() < 64)
    published_.push_back({lane_.tail_offset(), now});
  else
    published_.back().tail = lane_.tail_offset();  // a coarser date, in bounded memory
  if (born() && !admitted_) return admit(), true;
  ipc::full_fence();
  if (inbox_.page().read_asleep() != ipc::Sleep::for_tasks) return false;
  lane_.ring_bell();
  return true;
}

bool Worker::acknowledge() {
  lane_.acknowledge(inbox_.consumed());
  ipc::full_fence();
  if (inbox_.page().read_asleep() != ipc::Sleep::for_acknowledgement) return false;
  lane_.ring_bell();
  return true;
}

std::chrono::nanoseconds Worker::oldest_published() noexcept {
  while (published_.size() > 1 && published_.front().tail <= lane_.front_offset()) published_.pop_front();
  return published_.empty() ? std::chrono::nanoseconds(0) : published_.front().when;
}

bool Worker::look_at_hand(std::chrono::nanoseconds now) noexcept {
  if (!lane_.front()) return false;
  // A page that was written over does not stop the clock: its oldest task counts as the one in hand.
  const ipc::Cursor cursor = inbox_.cursor().value_or(ipc::Cursor{lane_.front_offset(), ipc::Phase::running});
  if (cursor != hand_) {
    hand_ = cursor;
    hand_since_ = now;
  }
  return cursor.phase == ipc::Phase::running;
}

bool Worker::runs_its_front() noexcept {
  return lane_.front() && inbox_.cursor() == ipc::Cursor{lane_.front_offset(), ipc::Phase::running};
}

std::optional<std::chrono::nanoseconds> Worker::ignoring_since() noexcept {
  const auto cursor = inbox_.cursor();
  if (outstanding == 0 || !cursor || cursor->phase == ipc::Phase::running) return std::nullopt;
  return std::max(hand_since_, oldest_published());
}

std::size_t Worker::begun_of(const ipc::Row& row, std::uint64_t at, const ipc::Cursor& cursor) noexcept {
  const std::uint64_t first = at + sizeof(ipc::Row);
  if (cursor.offset < first) return 0;
  const std::uint64_t before = (cursor.offset - first) / row.pitch();
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(row.count, before + (cursor.phase == ipc::Phase::between ? 0 : 1)));
}

std::vector<Worker::Asked> Worker::ask_back(std::size_t most) {
  const auto before = inbox_.cursor();
  if (!before) return {};
  const auto spare_of = [&](const ipc::Row& row, std::uint64_t at, std::size_t first) {
    const std::size_t begun = std::max(first, begun_of(row, at, *before));
    return row.kept > begun ? row.kept - begun : 0;
  };
  std::size_t spare = 0;
  lane_.for_each_row(
      [&](const ipc::Row& row, std::uint64_t at, std::size_t first) { spare += spare_of(row, at, first); });
  std::size_t stay = spare - std::min(most, spare);  // the oldest
  std::vector<Asked> asked;
  lane_.for_each_row([&](ipc::Row& row, std::uint64_t at, std::size_t first) {
    const std::size_t mine = spare_of(row, at, first), stays = std::min(mine, stay);
    stay -= stays;
    if (stays == mine) return;
    // Where some behind them wait for an answer already, so do these.
    if (row.kept == row.unmoved) asked.push_back({&row, at});
    row.kept = static_cast<std::uint16_t>(row.kept - (mine - stays));
  });
  if (!os::has_remote_fences())
    ipc::full_fence();
  else if (!os::fence_remotely())
    return {};
  return asked;
}

std::optional<ipc::Record> Worker::record_in_hand() noexcept {
  while (lane_.front() && lane_.front().mark() == ipc::Mark::moved) lane_.pop();
  const ipc::Record front = lane_.front();
  if (!front) return front;
  const auto cursor = inbox_.cursor();
  if (!suspect && cursor) {
    const bool running = cursor->phase == ipc::Phase::running;
    if (cursor->offset == lane_.front_offset()) return running ? front : ipc::Record();
    if (cursor->offset < lane_.front_offset()) return ipc::Record();
    // It may stand at items that were moved away meanwhile, before it has declined them.
    if (!running && front.mark() != ipc::Mark::dealt) return ipc::Record();
  }
  // The page is not to be believed. Where only one task was there to be executed, it was that one.
  if (outstanding == 1) {
    ipc::Record last;
    lane_.for_each([&](const ipc::Record& record) {
      if (record.mark() != ipc::Mark::moved) last = record;
    });
    return last;
  }
  return std::nullopt;
}

void Worker::remember(std::span<const detail::Completion> done) noexcept {
  if (done.size() > recent.size()) done = done.last(recent.size());
  for (const detail::Completion& run : done)
    for (std::size_t i = run.count - std::min<std::size_t>(run.count, recent.size()); i < run.count; ++i)
      recent[answers++ % recent.size()] = run.task + i;
}

void Worker::be_ended_with_server() noexcept {
  if (!ended && inbox_.page().crash.signal == 0) ended = WorkerEnd{.status = {.signaled = true, .number = kill_signal}};
}

void Worker::explain(Failure& failure) const {
  const os::CrashRecord crash = inbox_.page().crash;  // a copy: what is checked is what is used
  const bool known = ended && ended->status.known;
  const bool noted = crash.signal != 0 && crash.signal < 128 && crash.count <= os::CrashRecord::max_frames;
  // Where somebody else took the status, its own note is all there is.
  if (noted && !known && failure.ending == Ending::crashed) failure.signal = static_cast<int>(crash.signal);
  if (noted && failure.signal == static_cast<int>(crash.signal)) {
    failure.fault_address = crash.address;
    failure.backtrace = os::frame_names(std::span(crash.frames).first(crash.count));
  }
  if (known) {
    failure.core_dumped = ended->status.dumped;
    failure.user_time = ended->user_time;
    failure.system_time = ended->system_time;
    failure.max_rss = ended->max_rss;
  }
  failure.stderr_tail = words.tail();
  for (std::size_t n = answers; n != 0 && answers - n < recent.size(); --n)
    failure.tasks_before.push_back(recent[(n - 1) % recent.size()]);
}

}  // namespace bulkhead::process
