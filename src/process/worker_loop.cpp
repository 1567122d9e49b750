#include "process/worker_loop.hpp"

#include <bulkhead/detail/exception_failure.hpp>

#include "os/child.hpp"
#include "os/clock.hpp"
#include "os/descendants.hpp"
#include "os/limits.hpp"
#include "os/remote_fence.hpp"
#include "os/terminate_watch.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

namespace bulkhead::process {

using namespace std::chrono_literals;
using ipc::FrameKind;
using ipc::Phase;

namespace {

constexpr std::uint64_t batch_bytes =
    32u << 10;  // 4 to 32 KiB measured equal; the largest leaves the coordinator alone longest
constexpr std::uint32_t batch_tasks = 1024;  // while a lane holds twice as many
constexpr auto batch_time = 4ms;    // no finished result waits longer for its batch, while tasks wait behind it
constexpr auto tiny_task = 10us;    // below this a clock read and a write of its own cost too much
constexpr auto group_time = 100us;  // what a group of tiny tasks should take
constexpr std::uint32_t max_group = 1024;
constexpr std::uint32_t few_tasks = 32;  // groups up to this can afford a system call a task: it lasts not long

std::stop_source& terminate_source() {
  static std::stop_source source;
  return source;
}

ipc::WorkerPage* page_of_refusals = nullptr;

}  // namespace

WorkerLoop::WorkerLoop(WorkerPlace place, detail::TaskBody& body, const WorkOptions& options)
    : place_(std::move(place)),
      body_(body),
      options_(options),
      page_(*::new (static_cast<void*>(place_.memory.data())) ipc::WorkerPage{}),
      lane_(place_.queue.lane()),
      outbox_(page_, lane_, std::move(place_.pipe), place_.seed),
      current_(detail::current_task()) {}

void WorkerLoop::run() noexcept {
  start();
  wait_for_admission();
  serve();
  try {
    if (options_.worker_exit) options_.worker_exit();
  } catch (...) {  // every task has its outcome already: nobody is to blame, but it is said
    leave_with_words(detail::failure_from_current_exception());
  }
  os::leave_worker(0);
}

void WorkerLoop::leave_with_words(const Failure& failure) {
  const std::string words = ipc::encode_failure(failure);
  outbox_.put_copy(FrameKind::failure, 0, 0, std::as_bytes(std::span(words)));
  outbox_.flush();
  os::leave_worker(1);
}

void WorkerLoop::start() {
  current_.task.worker = place_.slot;
  current_.sink = this;
  reused_.large = this;
  current_.active = false;
  if (options_.crash_notes) os::note_crashes_in(page_.crash);
  os::prefer_for_out_of_memory();
  if (options_.memory_limit != 0) {
    page_of_refusals = &page_;
    std::set_new_handler([] {
      page_of_refusals->note_refusal();
      throw std::bad_alloc();
    });
  }
  if (body_.takes_stop_token()) os::on_terminate([] { terminate_source().request_stop(); });
  try {
    os::limit_this_process({options_.memory_limit, options_.file_size, options_.open_files});
    if (options_.worker_init) options_.worker_init();
  } catch (...) {
    leave_with_words(detail::failure_from_current_exception());
  }
  fenced_remotely_ = os::has_remote_fences() && os::accept_remote_fences();
  if (os::has_children()) helpers_ = os::children();
  os::note_forks();
  page_.move_to(0, Phase::between, place_.seed);  // from here on it may be asked what was in our hands: nothing yet
  outbox_.put_copy(FrameKind::serving, 0, 0, {});
  outbox_.flush();  // nothing it does to its memory later can take this back
  group_start_ = last_flush_ = os::now();
}

// If the fork server died before it could say that it forked us, our tasks are somebody else's.
void WorkerLoop::wait_for_admission() {
  for (;;) {
    const std::uint32_t heard = lane_.bell();
    const std::uint32_t admitted = lane_.admitted();
    if (admitted == place_.seed) return;
    if (admitted != 0) os::leave_worker(0);
    lane_.sleep(heard);
  }
}

void WorkerLoop::serve() {
  for (std::uint64_t head = 0;;) {
    const std::uint64_t tail = lane_.tail();
    if (head == tail) {
      if (lane_.stop_requested() && lane_.tail() == head) break;
      idle(head);
      continue;
    }
    while (head != tail) {
      const ipc::Record& record = lane_.at(head);
      if (record.form != ipc::RecordForm::filler) claim_and_answer(record, head);
      head += record_stride(record);
    }
  }
  page_.move_to(0, Phase::between, place_.seed);
  flush();
}

// Between what each stores and what it looks at then, our claim and the coordinator's mark, lies a full fence: at least
// one of the two sees the other, and where the coordinator cannot tell it waits for this answer.
void WorkerLoop::claim_and_answer(const ipc::Record& record, std::uint64_t offset) {
  page_.claim(offset, place_.seed, fenced_remotely_);
  if (ipc::LaneReader::taken_back(record)) {
    outbox_.room();
    outbox_.put(FrameKind::declined, record.task, record.attempt, 0);
    page_.move_to(offset, Phase::between, place_.seed);
    return;
  }
  page_.move_to(offset, Phase::running, place_.seed);
  do_task(record);
  after_task();
}

void WorkerLoop::do_task(const ipc::Record& record) {
  current_.task.index = record.task;
  current_.task.attempt = record.attempt;
  current_.active = true;
  slot_ = &reused_;
  reused_.size = 0;
  if (group_ == 1) {
    do_measured(record, reused_);
  } else {
    reused_.room = outbox_.value_room();
    body_.run(place_.queue.item(record), reused_);
    if (os::forked_meanwhile() || (group_ <= few_tasks && os::has_children())) look_after_fork(record);
    answer(record, reused_);
  }
  current_.active = false;
  reused_.elsewhere = {};
  if (!apart_.empty()) apart_ = {};
  reused_.failure.reset();
}

// The time must stand before the result in the stream, so the result is composed apart: such tasks can afford a copy.
void WorkerLoop::do_measured(const ipc::Record& record, detail::ResultSlot& slot) {
  std::byte apart[ipc::in_place_payload];
  slot.room = apart;
  body_.run(place_.queue.item(record), slot);
  const auto ran = os::now() - group_start_ - outbox_.take_waited();
  if (ran >= group_time || os::forked_meanwhile()) end_what_was_left(record.task, record.attempt);
  if (ran >= tiny_task) {
    if (ran >= group_time) peak_rss_kib_ = os::peak_rss_kib();
    const ipc::MeasuredPayload measured{static_cast<std::uint64_t>(ran.count()), peak_rss_kib_};
    outbox_.put_copy(FrameKind::measured, record.task, record.attempt, std::as_bytes(std::span(&measured, 1)));
  }
  if (!slot.failure && slot.elsewhere.empty())
    outbox_.put_copy(FrameKind::value, record.task, record.attempt, std::span(apart).first(slot.size));
  else
    answer(record, slot);
}

void WorkerLoop::answer(const ipc::Record& record, const detail::ResultSlot& slot) {
  if (slot.failure) {
    const std::string words = ipc::encode_failure(*slot.failure);
    outbox_.put_copy(FrameKind::failure, record.task, record.attempt, std::as_bytes(std::span(words)));
  } else if (!apart_.empty()) {
    outbox_.put_copy(FrameKind::value, record.task, record.attempt, apart_);
  } else if (!slot.elsewhere.empty()) {
    outbox_.put_large(record.task, record.attempt, slot.elsewhere);
  } else {
    outbox_.put_value(record.task, record.attempt, slot.size);
  }
}

void WorkerLoop::after_task() {
  if (--group_left_ == 0) {
    const auto now = os::now();
    const auto mean = (now - group_start_ - outbox_.take_waited()) / group_;
    group_start_ = now;
    if (mean >= tiny_task)
      group_ = 1;
    else
      group_ = static_cast<std::uint32_t>(std::clamp<std::int64_t>(group_time / std::max(mean, 1ns), 2, group_ * 2));
    group_ = std::min(group_, max_group);
    group_left_ = group_;
    if (now - last_flush_ >= batch_time) {
      flush();
      last_flush_ = now;
    }
  }
  if (++unsent_ >= batch_tasks || outbox_.unsent() >= batch_bytes) {
    flush();
    last_flush_ = group_start_;
  }
}

// Whatever escaped from its parents came to us, a subreaper. A task that called fork(), or took a hundred microseconds
// or more, is looked after by itself, and so is everyone as long as groups are small. What is left over is a program
// started without fork() by one of a thousand tasks of nanoseconds: then only that one of them did is known.
void WorkerLoop::end_what_was_left(std::uint64_t task, unsigned attempt) {
  if (!os::has_children()) return;
  const ipc::LeftPayload left{os::end_children_except(helpers_)};
  if (left.count != 0) outbox_.put_copy(FrameKind::left, task, attempt, std::as_bytes(std::span(&left, 1)));
}

// What is said of a task stands before its result in the stream, and that was composed where it is sent from.
void WorkerLoop::look_after_fork(const ipc::Record& record) {
  const auto composed = reused_.room.first(std::min(reused_.size, reused_.room.size()));
  if (!reused_.failure && reused_.elsewhere.empty()) apart_.assign(composed.begin(), composed.end());
  end_what_was_left(record.task, record.attempt);
  reused_.room = outbox_.room();
}

void WorkerLoop::flush() {
  end_what_was_left(0, 0);
  outbox_.flush();
  unsent_ = 0;
}

void WorkerLoop::idle(std::uint64_t head) {
  page_.move_to(head, Phase::between, place_.seed);
  flush();
  const std::uint32_t heard = lane_.bell();
  page_.set_asleep(ipc::Sleep::for_tasks);
  if (lane_.tail() == head && !lane_.stop_requested()) lane_.sleep(heard);
  page_.set_asleep(ipc::Sleep::awake);
  group_start_ = last_flush_ = os::now();
  group_left_ = group_;
}

std::span<std::byte> WorkerLoop::large_room(std::size_t size) {
  const std::span<std::byte> room = outbox_.large_room(size);
  if (!room.empty()) return room;
  apart_.resize(size);
  return apart_;
}

void WorkerLoop::emit(const ThisTask& task, int channel, std::span<const std::byte> bytes) {
  if (slot_ != nullptr && slot_->encoding)
    throw std::logic_error("bulkhead::emit_output: called while the task's result is being serialized; call it before");
  if (bytes.size() > options_.max_result_bytes)
    throw std::length_error("bulkhead::emit_output: " + std::to_string(bytes.size()) +
                            " bytes are more than WorkOptions::max_result_bytes (" +
                            std::to_string(options_.max_result_bytes) + ")");
  std::vector<std::byte> payload(sizeof channel + bytes.size());
  std::memcpy(payload.data(), &channel, sizeof channel);
  std::copy(bytes.begin(), bytes.end(), payload.begin() + sizeof channel);
  outbox_.put_copy(FrameKind::output, task.index, task.attempt, payload);
  outbox_.flush();
  if (slot_ != nullptr && group_ != 1) slot_->room = outbox_.room();
}

}  // namespace bulkhead::process

namespace bulkhead::detail {
std::stop_token worker_stop_token() noexcept { return process::terminate_source().get_token(); }
}  // namespace bulkhead::detail
