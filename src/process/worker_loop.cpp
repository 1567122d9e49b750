// Its life as such; what it does with each task is in worker_answers.cpp.
#include "process/worker_loop.hpp"

#include <bulkhead/detail/exception_failure.hpp>

#include "os/at_birth.hpp"
#include "os/child.hpp"
#include "os/clock.hpp"
#include "os/descendants.hpp"
#include "os/limits.hpp"
#include "os/remote_fence.hpp"
#include "os/terminate_watch.hpp"

#include <new>
#include <string>
#include <utility>

namespace bulkhead::process {

using ipc::FrameKind;
using ipc::Phase;

namespace {

ipc::WorkerPage* page_of_refusals = nullptr;

}  // namespace

BULKHEAD_AT_BIRTH WorkerLoop::WorkerLoop(WorkerPlace place, detail::TaskBody& body, const WorkOptions& options)
    : place_(std::move(place)),
      body_(body),
      options_(options),
      page_(ipc::make_worker_page(place_.memory.data())),
      lane_(place_.queue.lane()),
      outbox_(page_, lane_, std::move(place_.pipe), place_.seed),
      current_(detail::current_task()) {}

BULKHEAD_AT_BIRTH void WorkerLoop::run() noexcept {
  start();
  wait_for_admission();
  group_start_ = last_end_ = last_flush_ = os::now_by_system_call();  // waiting for that was no task's time
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

BULKHEAD_AT_BIRTH void WorkerLoop::start() {
  // Before there is a second thread: the kernel takes 10 ms for it then.
  fenced_remotely_ = os::has_remote_fences() && os::accept_remote_fences();
  current_.sink = this;
  result_.large = this;
  current_.active = false;
  if (options_.crash_notes) os::note_crashes_in(page_.crash);
  if (options_.memory_limit != 0) {
    page_of_refusals = &page_;
    std::set_new_handler([] {
      page_of_refusals->note_refusal();
      throw std::bad_alloc();
    });
  }
  try {
    if (body_.stop_form() == detail::StopForm::request) os::hold_terminate();
    if (body_.stop_form() == detail::StopForm::token) os::stop_on_terminate();
    os::limit_this_process({options_.memory_limit, options_.file_size, options_.open_files});
    if (options_.worker_init) set_up();
  } catch (...) {
    leave_with_words(detail::failure_from_current_exception());
  }
  page_.move_to(0, Phase::between, place_.seed);  // from here on it may be asked what was in our hands: nothing yet
  outbox_.put_copy(FrameKind::serving, 0, 0, {});
  outbox_.flush();  // nothing it does to its memory later can take this back
}

// Nothing of the user's runs in a spare before it is one of the workers.
void WorkerLoop::set_up() {
  page_.set_asleep(ipc::Sleep::for_tasks);
  wait_for_admission();
  page_.set_asleep(ipc::Sleep::awake);
  options_.worker_init();
  if (os::has_children()) helpers_ = os::children();
  os::note_forks();
}

// If the fork server died before it could say that it forked us, our tasks are somebody else's.
BULKHEAD_AT_BIRTH void WorkerLoop::wait_for_admission() {
  for (;;) {
    const std::uint32_t heard = lane_.bell();
    const std::uint32_t admitted = lane_.admitted();
    if (admitted == place_.seed) {
      current_.task.worker = static_cast<int>(lane_.slot());
      return;
    }
    if (admitted != 0) os::leave_worker(0);
    lane_.sleep(heard);
  }
}

BULKHEAD_AT_BIRTH void WorkerLoop::serve() {
  for (std::uint64_t head = 0;;) {
    const std::uint64_t tail = lane_.tail();
    if (head == tail) {
      if (lane_.stop_requested() && lane_.tail() == head) break;
      idle(head);
      continue;
    }
    while (head != tail) {
      const ipc::Row& row = lane_.at(head);
      const std::uint64_t bytes = row.bytes();  // once all of it is answered, something else may stand there
      const bool is_filler = row.form == ipc::RowForm::filler;
      if (!is_filler) answer_row(row, head);
      head += bytes;
      if (!is_filler) flush_if_little_is_left(bytes, lane_.tail() - head);
    }
  }
  page_.move_to(0, Phase::between, place_.seed);
  flush();
}

void WorkerLoop::idle(std::uint64_t head) {
  page_.move_to(head, Phase::between, place_.seed);
  flush();
  const std::uint32_t heard = lane_.bell();
  page_.set_asleep(ipc::Sleep::for_tasks);
  if (lane_.tail() == head && !lane_.stop_requested()) {
    lane_.sleep(heard);
    slept_ = true;
  }
  page_.set_asleep(ipc::Sleep::awake);
  group_start_ = last_end_ = last_flush_ = os::now();
  outbox_.take_waited();
  group_left_ = group_;
}

}  // namespace bulkhead::process

namespace bulkhead::detail {
BULKHEAD_AT_BIRTH std::stop_token worker_stop_token() noexcept { return os::terminate_token(); }
BULKHEAD_AT_BIRTH StopRequest worker_stop_request() noexcept { return os::terminate_request(); }
}  // namespace bulkhead::detail
