// What a worker answers: it does the tasks of a row, measures them one by one or in groups, and sends results on.
#include "os/at_birth.hpp"
#include "os/clock.hpp"
#include "os/descendants.hpp"
#include "process/worker_loop.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace bulkhead::process {

using namespace std::chrono_literals;
using ipc::FrameKind;
using ipc::Phase;

namespace {

constexpr std::uint64_t batch_bytes =
    32u << 10;  // 4 to 32 KiB measured equal; the largest leaves the coordinator alone longest
constexpr std::uint32_t batch_tasks = 4096;  // all that a lane holds of the tiniest: the fewest wake-ups
// Of others a quarter is enough, once it has taken as long as a wake-up is worth: the next come while there still are
// some.
constexpr std::uint32_t quarter_of_lane = 1024;
constexpr auto worth_a_wakeup = 80us;
// A finished result waits for its batch until the first task that ends after a multiple of this. Every worker's clock
// says the same: one wake-up of the coordinator, 60 to 100 us here with what it brings, finds what several have done
// where tasks are short.
constexpr auto batch_time = 8ms;
constexpr auto tiny_task = 10us;    // below this a clock read and a write of its own cost too much
constexpr auto group_time = 100us;  // what a group of tiny tasks should take
constexpr std::uint32_t max_group = 1024;
constexpr std::uint32_t few_tasks = 32;  // groups up to this can afford a clock read a task
constexpr auto fastest_start = 50us;     // nobody starts a program in less (110 us measured), whatever call is used
constexpr auto peak_time = 1ms;          // a task cannot take much memory in less

}  // namespace

// Between what each stores and what it looks at then, our claim and the coordinator's mark, lies a full fence: at least
// one of the two sees the other, and where the coordinator cannot tell it waits for this answer.
BULKHEAD_AT_BIRTH void WorkerLoop::answer_row(const ipc::Row& row, std::uint64_t offset) {
  const std::uint64_t pitch = row.pitch();
  const std::size_t count = row.count;
  current_.task.attempt = row.attempt;
  for (std::size_t i = 0; i < count;) {
    const std::uint64_t place = offset + sizeof row + i * pitch;
    if (const std::size_t done = lengthen_run(row, i, place); done != 0) {
      i += done;
      after(done);
      continue;
    }
    const ipc::Record record(row, i++);
    page_.claim(place, place_.seed, fenced_remotely_);
    if (ipc::LaneReader::taken_back(row, i - 1)) {
      decline(record);
      page_.move_to(place, Phase::between, place_.seed);
      continue;
    }
    page_.move_to(place, Phase::running, place_.seed);
    current_.task.index = record.task();
    current_.active = true;
    if (group_ == 1) {
      const Timing timing = do_measured(record);
      current_.active = false;
      after_measured(timing);
    } else {
      do_tiny(record);
      current_.active = false;
      after(1);
    }
  }
}

// Of tiny tasks nearly all end in a value that stands behind that of the task before. They come by the million: what is
// the same for all of them is asked once, and the first that is anything else ends this. Returns how many were
// answered.
BULKHEAD_AT_BIRTH std::size_t WorkerLoop::lengthen_run(const ipc::Row& row, std::size_t from, std::uint64_t offset) {
  if (group_ <= few_tasks || row.form != ipc::RowForm::inlined || row.attempt != 1) return 0;
  const std::size_t most = std::min<std::size_t>(
      {row.count - from, group_left_, batch_tasks - unsent_, outbox_.places_in_run(row.task + from)});
  if (most == 0) return 0;
  // In the loop these would be read back from memory, since a task might have changed them.
  const std::uint64_t pitch = row.pitch();
  const std::size_t item_size = row.size;
  ipc::WorkerPage& page = page_;
  detail::TaskBody& body = body_;
  const bool fenced_remotely = fenced_remotely_;

  const std::byte* item = row.item(from);
  ipc::CursorWords cursor(offset, pitch, place_.seed);
  ipc::Outbox::GrowingRun run = outbox_.growing_run();
  std::size_t done = 0;
  result_.encode_at(run.place());
  current_.active = true;
  while (done < most) {
    page.claim(cursor.claiming(), fenced_remotely);
    if (ipc::LaneReader::taken_back(row, from + done)) break;
    page.move_to(cursor.running());
    current_.task.index = row.task + from + done;
    result_.place = run.value;
    const std::size_t size = body.run({item, item_size}, result_);
    ++done;
    item += pitch;
    cursor.step();
    if (size != run.each || os::fork_noted() || !outbox_.grows()) [[unlikely]] {
      answer_tiny(ipc::Record(row, from + done - 1));
      break;
    }
    run.lengthen();
  }
  current_.active = false;
  return done;
}

void WorkerLoop::decline(const ipc::Record& record) {
  outbox_.room();
  outbox_.put(FrameKind::declined, record.task(), record.attempt(), 0);
}

void WorkerLoop::do_tiny(const ipc::Record& record) {
  result_.encode_at(outbox_.value_room());
  body_.run(place_.queue.item(record), result_);
  answer_tiny(record);
}

void WorkerLoop::answer_tiny(const ipc::Record& record) {
  const bool may_have_left = may_have_left_some();
  if (may_have_left || result_.failure || !result_.elsewhere.empty()) [[unlikely]] {
    if (may_have_left && os::has_children()) look_after_fork(record);
    answer(record);
  } else {
    outbox_.put_value(record.task(), record.attempt(), result_.size);
  }
}

// To ask the kernel for children takes longer than to ask for the time.
bool WorkerLoop::may_have_left_some() {
  if (os::forked_meanwhile()) return true;
  if (group_ > few_tasks) return false;
  const auto before = std::exchange(last_end_, os::now());
  return last_end_ - before >= fastest_start;
}

// The time must stand before the result in the stream, so the result is composed apart: such tasks can afford a copy.
BULKHEAD_AT_BIRTH WorkerLoop::Timing WorkerLoop::do_measured(const ipc::Record& record) {
  const std::span<std::byte> apart = ipc::Outbox::apart();
  result_.encode_at(apart);
  body_.run(place_.queue.item(record), result_);
  const auto now = os::now();
  const auto ran = now - group_start_ - outbox_.take_waited();
  const bool may_have_left = ran >= fastest_start || os::forked_meanwhile();
  if (may_have_left) end_what_was_left(record.task(), record.attempt());
  if (ran >= tiny_task) {
    if (now - peak_read_ >= peak_time) {
      peak_rss_kib_ = os::peak_rss_kib();
      peak_read_ = now;
    }
    const ipc::MeasuredPayload measured{static_cast<std::uint64_t>(ran.count()), peak_rss_kib_};
    outbox_.put_copy(FrameKind::measured, record.task(), record.attempt(), std::as_bytes(std::span(&measured, 1)));
  }
  if (!result_.failure && result_.elsewhere.empty())
    outbox_.put_copy(FrameKind::value, record.task(), record.attempt(), apart.first(result_.size));
  else
    answer(record);
  // Where a short task ended the next begins, and no clock is read between them; what there was to look after behind
  // this one is not the next one's time.
  if (!may_have_left) return {now, ran};
  outbox_.take_waited();
  return {os::now(), ran};
}

void WorkerLoop::answer(const ipc::Record& record) {
  if (result_.failure) {
    const std::string words = ipc::encode_failure(*result_.failure);
    outbox_.put_copy(FrameKind::failure, record.task(), record.attempt(), std::as_bytes(std::span(words)));
  } else if (!apart_.empty()) {
    outbox_.put_copy(FrameKind::value, record.task(), record.attempt(), apart_);
  } else if (!result_.elsewhere.empty()) {
    outbox_.put_large(record.task(), record.attempt(), result_.elsewhere);
  } else {
    outbox_.put_value(record.task(), record.attempt(), result_.size);
  }
  result_.failure.reset();
  result_.elsewhere = {};
  apart_ = {};
}

void WorkerLoop::after(std::size_t tasks) {
  group_left_ -= static_cast<std::uint32_t>(tasks);
  unsent_ += static_cast<std::uint32_t>(tasks);
  if (group_left_ == 0) {
    const auto now = os::now();
    end_group({now, now - group_start_ - outbox_.take_waited()});
  }
  flush_if_much();
}

// It was a group by itself.
void WorkerLoop::after_measured(Timing timing) {
  ++unsent_;
  end_group(timing);
  flush_if_much();
}

void WorkerLoop::flush_if_much() {
  if (unsent_ < batch_tasks && outbox_.unsent() < batch_bytes) return;
  flush();
}

// A row of `done` bytes was answered, `left` bytes are published behind it (with filler, if it goes round there). Sent
// when three quarters are done, so that more is dealt before the rest is.
void WorkerLoop::flush_if_little_is_left(std::uint64_t done, std::uint64_t left) {
  unsent_rows_ += done;
  if (left == 0 || 3 * left >= unsent_rows_ || unsent_ == 0 || group_start_ - last_flush_ < worth_a_wakeup) return;
  flush();
}

void WorkerLoop::end_group(Timing timing) {
  const auto now = timing.ended;
  const auto mean = timing.took / group_;
  group_start_ = last_end_ = now;
  if (mean >= tiny_task)
    group_ = 1;
  else
    group_ = static_cast<std::uint32_t>(std::clamp<std::int64_t>(group_time / std::max(mean, 1ns), 2, group_ * 2));
  group_ = std::min(group_, max_group);
  group_left_ = group_;
  if (now - last_flush_ < worth_a_wakeup) return;
  if (now / batch_time == last_flush_ / batch_time && unsent_ < quarter_of_lane) return;
  flush();
}

// Whatever escaped from its parents came to us, a subreaper. A task that called fork(), or took as long as it takes to
// start a program, is looked after by itself. What is left over is a child made with neither: then only that one of the
// tasks since the last look did so is known.
void WorkerLoop::end_what_was_left(std::uint64_t task, unsigned attempt) {
  if (!os::has_children()) return;
  const ipc::LeftPayload left{os::end_children_except(helpers_)};
  if (left.count != 0) outbox_.put_copy(FrameKind::left, task, attempt, std::as_bytes(std::span(&left, 1)));
}

// What is said of a task stands before its result in the stream, and that was composed where it is sent from.
void WorkerLoop::look_after_fork(const ipc::Record& record) {
  const std::span composed(result_.place, std::min(result_.size, result_.room));
  if (!result_.failure && result_.elsewhere.empty()) apart_.assign(composed.begin(), composed.end());
  end_what_was_left(record.task(), record.attempt());
  result_.encode_at(outbox_.room());
}

void WorkerLoop::flush() {
  if (!slept_ && unsent_ == 0 && outbox_.unsent() == 0) return;  // nothing has run since
  slept_ = false;
  end_what_was_left(0, 0);
  outbox_.flush();
  last_flush_ = group_start_;
  unsent_ = 0;
  unsent_rows_ = 0;
}

std::span<std::byte> WorkerLoop::large_room(std::size_t size) {
  const std::span<std::byte> room = outbox_.large_room(size);
  if (!room.empty()) return room;
  apart_.resize(size);
  return apart_;
}

void WorkerLoop::emit(const ThisTask& task, int channel, std::span<const std::byte> bytes) {
  if (result_.stage == detail::ResultSlot::Stage::encoding)
    throw std::logic_error("bulkhead::emit_output: called while the task's result is being serialized; call it before");
  if (bytes.size() > options_.max_result_bytes)
    throw std::length_error("bulkhead::emit_output: " + std::to_string(bytes.size()) +
                            " bytes are more than WorkOptions::max_result_bytes (" +
                            std::to_string(options_.max_result_bytes) + ")");
  std::vector<std::byte> payload(sizeof channel + bytes.size());
  std::memcpy(payload.data(), &channel, sizeof channel);
  std::copy(bytes.begin(), bytes.end(), payload.begin() + sizeof channel);
  const std::vector<std::byte> composed = composed_in_outbox();
  outbox_.put_copy(FrameKind::output, task.index, task.attempt, payload);
  outbox_.flush();
  if (group_ == 1) return;
  result_.encode_at(outbox_.room());
  std::copy(composed.begin(), composed.end(), result_.place);
}

// Of a task whose result has been made and that now speaks at its end: the words go where that stands.
std::vector<std::byte> WorkerLoop::composed_in_outbox() const {
  const bool composed = group_ != 1 && result_.stage == detail::ResultSlot::Stage::encoded &&
                        result_.elsewhere.empty() && !result_.failure;
  return composed ? std::vector(result_.place, result_.place + result_.size) : std::vector<std::byte>();
}

}  // namespace bulkhead::process
