// The coordinator's settling: frames become completions, failures get their verdict, each task ends exactly once.
#include <bulkhead/detail/retry_policy.hpp>

#include "ipc/frame.hpp"
#include "os/clock.hpp"
#include "process/coordinator.hpp"
#include "process/poll_keys.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace bulkhead::process {

using detail::Completion;
using detail::PackedStats;
using ipc::FrameKind;
using ipc::Mark;

namespace {

std::uint8_t packed_count(std::uint64_t count) {
  return static_cast<std::uint8_t>(std::min<std::uint64_t>(count, std::numeric_limits<std::uint8_t>::max()));
}

// Filled in where it will lie: put together elsewhere, its narrow fields would have to leave the store buffer before
// they could be copied in wide pieces, which takes longer than all the rest.
Completion& add_value(auto& completions, const ipc::Record& record, const Worker& worker,
                      std::span<const std::byte> bytes) {
  Completion& done = completions.emplace_back();
  done.task = record.task();
  done.data = bytes.data();
  done.size = static_cast<std::uint32_t>(bytes.size());
  done.stats.ending = Ending::value;
  done.stats.attempts = static_cast<std::uint16_t>(record.attempt());
  done.stats.worker = static_cast<std::uint16_t>(worker.slot());
  return done;
}

}  // namespace

bool Coordinator::take_frames(Worker& worker) {
  const std::size_t first = completions_.size();
  bool good = false;
  for (bool more = true; more;) {
    take_plain_values(worker);
    const ipc::ParsedFrame frame = worker.inbox().next();
    good = frame.check == ipc::FrameCheck::incomplete;
    more = frame.check == ipc::FrameCheck::whole && take_frame(worker, frame);
  }
  if (good) counted_.worker_wakeups += worker.acknowledge();
  if (completions_.size() > first) {
    date_group(worker, first);
    worker.date_hand(now_);  // it may have waited for us until now
  }
  if (worker.inbox().holds_back())  // what was taken is to be used first
    ready_.push_back(key_of(static_cast<std::size_t>(worker.slot()), Sign::frames));
  recount(worker);
  return good;
}

// What nearly every frame is, kept short for that reason: the value of a first attempt about which there is nothing to
// say. Stops before the first that is anything else. Their stats are filled in by date_group().
void Coordinator::take_plain_values(Worker& worker) {
  if (options_.on_event || worker.measured || worker.left != 0 || !out_of_memory_.empty() || worker.most_tasks != 0)
    return;
  std::size_t taken = 0, before = 0;
  ipc::LaneWriter& lane = worker.lane();
  do {
    before = taken;
    taken += take_run(worker);
    worker.inbox().take_while([&](const ipc::ParsedFrame& frame) {
      const ipc::Record front = lane.front();
      if (lane.plain_at_front() == 0 || frame.header.kind != FrameKind::value || frame.header.attempt != 1 ||
          frame.header.task != static_cast<std::uint32_t>(front.task()))
        return false;
      add_value(completions_, front, worker, frame.payload);
      lane.pop();
      ++taken;
      return true;
    });
  } while (taken != before);
  if (taken == 0) return;
  settled_ += taken;
  worker.outstanding -= taken;
  worker.alone = false;
}

// As many values of a run as belong to what stands first in the lane: rows of consecutive tasks.
std::size_t Coordinator::take_run(Worker& worker) {
  ipc::ValueRun& run = worker.inbox().next_run();
  ipc::LaneWriter& lane = worker.lane();
  if (run.count == 0 || lane.plain_at_front() == 0 || run.task != static_cast<std::uint32_t>(lane.front().task()))
    return 0;
  Completion& done = add_value(completions_, lane.front(), worker, {run.values, run.each});
  done.stride = static_cast<std::uint32_t>(ipc::value_stride(run.each));
  std::size_t count = 0;
  do {
    const std::size_t of_row = std::min<std::size_t>(lane.plain_at_front(), run.count - count);
    lane.pop(of_row);
    count += of_row;
  } while (count < run.count && lane.plain_at_front() != 0 && lane.front().task() == done.task + count);
  done.count = static_cast<std::uint32_t>(count);
  run.drop(done.count);
  return count;
}

// The lane's oldest item is the only one that an answer can be about: whatever names another is not to be believed.
bool Coordinator::take_frame(Worker& worker, const ipc::ParsedFrame& frame) {
  if (frame.header.kind == FrameKind::skip) return true;
  if (frame.header.kind == FrameKind::serving) return worker.serving = true;
  const ipc::Record front = worker.lane().front();
  if (frame.header.kind == FrameKind::failure && frame.header.attempt == 0) {  // no task's: worker_init threw
    if (const auto failure = ipc::decode_failure(frame.payload)) worker.last_words = failure->describe();
    return true;
  }
  if (frame.header.kind == FrameKind::left && frame.header.attempt == 0) return take_left(worker, frame, ipc::Record());
  if (!front || static_cast<std::uint32_t>(front.task()) != frame.header.task ||
      front.attempt() != frame.header.attempt)
    return false;
  switch (frame.header.kind) {
    case FrameKind::measured:
      if (frame.payload.size() != sizeof(ipc::MeasuredPayload)) return false;
      std::memcpy(&worker.measured.emplace(), frame.payload.data(), sizeof(ipc::MeasuredPayload));
      return true;
    case FrameKind::left:
      return take_left(worker, frame, front);
    case FrameKind::output: {
      int channel = 0;
      if (frame.payload.size() < sizeof channel) return false;
      std::memcpy(&channel, frame.payload.data(), sizeof channel);
      if (!options_.on_event || front.mark() == Mark::moved) return true;
      counted_.output_bytes += frame.payload.size() - sizeof channel;
      announce_start(worker, front.task(), front.attempt());
      notify({.kind = EventKind::task_output,
              .task = front.task(),
              .attempt = front.attempt(),
              .worker = worker.slot(),
              .process = worker.pid(),
              .channel = channel,
              .output = frame.payload.subspan(sizeof channel)});
      return true;
    }
    default:
      return take_answer(worker, frame);
  }
}

bool Coordinator::take_left(Worker& worker, const ipc::ParsedFrame& frame, const ipc::Record& of) {
  ipc::LeftPayload left{};
  if (frame.payload.size() != sizeof left) return false;
  std::memcpy(&left, frame.payload.data(), sizeof left);
  if (of) worker.left = left.count;
  announce_left(worker, of, left.count);
  return true;
}

bool Coordinator::take_answer(Worker& worker, const ipc::ParsedFrame& frame) {
  const ipc::Record record = worker.lane().front();
  const Mark mark = record.mark();
  if (mark != Mark::moved) {
    if (frame.header.kind == FrameKind::declined) {
      if (mark == Mark::dealt) return false;  // nobody asked
      PendingTask task = pending_from(record);
      --worker.dealt;
      ++counted_.taken_back;
      left_one(worker);
      if (closed())
        end_pending(std::move(task), Failure(*closed_));
      else
        backlog_.add(std::move(task));
    } else if (frame.header.kind == FrameKind::value) {
      if (options_.on_event) announce_start(worker, record.task(), record.attempt());
      settle_value(worker, record, frame.payload);
    } else {
      auto failure = ipc::decode_failure(frame.payload);
      if (!failure) return false;
      announce_start(worker, record.task(), record.attempt());
      settle_failure(worker, record, *std::move(failure));
    }
  }
  worker.left = 0;
  worker.measured.reset();
  worker.lane().pop();
  return true;
}

void Coordinator::left_one(Worker& worker) {
  --worker.outstanding;
  worker.alone = false;
  const std::size_t most = worker.most_tasks;
  if (most != 0 && worker.dealt >= most && worker.outstanding == 0 && worker.doom == KillReason::none) retire(worker);
}

void Coordinator::settle_value(Worker& worker, const ipc::Record& record, std::span<const std::byte> bytes) {
  Completion& done = add_value(completions_, record, worker, bytes);
  if (worker.measured) {
    done.stats.ran_ns = static_cast<float>(worker.measured->ran_ns);
    worker.peak_rss = detail::RoundedKib(worker.measured->peak_rss_kib << 10);
  }
  done.stats.processes_left = packed_count(worker.left);
  left_one(worker);
  if (!out_of_memory_.empty()) out_of_memory_.erase(record.task());
  release_item(record);
  ++settled_;
}

void Coordinator::settle_failure(Worker& worker, const ipc::Record& record, Failure failure) {
  left_one(worker);
  respawn_.note_progress();
  const bool again = try_again(worker, record, failure);
  if (again) return;
  out_of_memory_.erase(record.task());
  if (options_.retry.max_retries != 0 && options_.retry.on.contains(failure.ending))
    notify_of(EventKind::quarantined, worker, record, failure);
  release_item(record);
  end_task(record.task(), record.attempt(), worker.slot(), std::move(failure));
  PackedStats& stats = completions_.back().stats;
  if (worker.measured) stats.ran_ns = static_cast<float>(worker.measured->ran_ns);
  stats.processes_left = packed_count(worker.left);
}

bool Coordinator::try_again(Worker& worker, const ipc::Record& record, const Failure& failure) {
  unsigned out_of_memory = 0;
  if (failure.ending == Ending::out_of_memory) {
    parallelism_.note_out_of_memory();
    out_of_memory = ++out_of_memory_[record.task()];
  } else if (const auto found = out_of_memory_.find(record.task()); found != out_of_memory_.end()) {
    out_of_memory = found->second;
  }
  const double jitter = std::generate_canonical<double, 30>(random_);
  const auto verdict = detail::judge(options_.retry, failure.ending, record.attempt(), jitter, out_of_memory);
  if (!verdict.again || closed()) return false;
  announce_start(worker, record.task(), record.attempt());
  notify_of(EventKind::attempt_lost, worker, record, failure);
  worker.announced.reset();
  ++counted_.retried;
  PendingTask task = pending_from(record);
  ++task.attempt;
  task.due = os::now() + verdict.delay;
  backlog_.add_later(std::move(task));
  return true;
}

// Also while the caller feeds us, if nothing can be started any more; he has the completions then.
void Coordinator::end_task(std::uint64_t task, unsigned attempts, int worker, Failure failure) {
  if (with_caller_) {
    ended_early_.push_back({task, attempts, worker, std::move(failure)});
    return;
  }
  Completion done;
  done.task = task;
  done.stats.ending = failure.ending;
  done.stats.attempts = static_cast<std::uint16_t>(attempts);
  done.stats.worker = static_cast<std::uint16_t>(worker);
  done.failure = &failures_.emplace_back(std::move(failure));
  completions_.push_back(done);
  ++settled_;
}

void Coordinator::end_pending(PendingTask task, Failure failure) {
  if (task.placed) queue_.release(*task.placed);
  end_task(task.task, task.attempt - 1, 0, std::move(failure));
}

void Coordinator::release_item(const ipc::Record& record) noexcept {
  if (record.in_arena()) queue_.release(record.place());
}

// Answers that came together are dated together: the clock is read once for all of them. A worker that did not measure
// a task found it tiny; if it took long to come all the same, the worker waited for a core, and shallow lanes would
// only add the cost of waking it to that.
void Coordinator::date_group(Worker& worker, std::size_t first) {
  constexpr float longest_unmeasured = 50'000;  // ns
  std::size_t count = 0;
  for (std::size_t i = first; i < completions_.size(); ++i) count += completions_[i].count;
  const float mean = static_cast<float>((now_ - worker.last_taken).count()) / static_cast<float>(count);
  const float waited = static_cast<float>((now_ - worker.oldest_published()).count());
  double ran_in_all = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = first; i < completions_.size(); ++i) {
    bytes += std::uint64_t{completions_[i].size} * completions_[i].count;
    PackedStats& stats = completions_[i].stats;
    const bool measured = stats.ran_ns != 0;
    if (!measured) stats.ran_ns = mean;
    stats.waited_ns = std::max(0.0f, waited - stats.ran_ns);
    stats.peak_rss = worker.peak_rss;
    ran_in_all +=
        static_cast<double>(measured ? stats.ran_ns : std::min(mean, longest_unmeasured)) * completions_[i].count;
  }
  worker.pace().learn(Nanoseconds(static_cast<std::int64_t>(ran_in_all)), count);
  worker.last_taken = now_;
  counted_.result_bytes += bytes;
  respawn_.note_progress();
  parallelism_.note_successes(count);
  worker.remember(std::span(completions_).subspan(first));
}

}  // namespace bulkhead::process
