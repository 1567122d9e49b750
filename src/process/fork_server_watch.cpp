// The coordinator and its fork server: births, refusals and ends that it reports, and its own end.
#include "os/clock.hpp"
#include "os/descendants.hpp"
#include "process/coordinator.hpp"
#include "process/poll_keys.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace bulkhead::process {

using namespace std::chrono_literals;

void Coordinator::start() {
  if (!first_directly_ && make_server()) announce_server();
}

// False: there is one. Throws std::system_error, and nothing else: listeners are told by announce_server().
bool Coordinator::make_server() {
  if (server_) return false;
  auto server =
      std::make_unique<ForkServer>(Life{live_as_worker, this}, std::vector<int>{queue_.file().fd().get()}, options_);
  poller_.watch(server->socket().get(), server_key);
  poller_.watch(server->pidfd().get(), server_death_key);
  server_ = std::move(server);
  return true;
}

void Coordinator::announce_server() const {
  notify({.kind = EventKind::fork_server_started, .process = server_->pid()});
}

// Something came from it. That it has ended is told by the poller as well.
void Coordinator::hear_server() {
  if (!take_reports()) be_without_server();
}

// It may have ended. What it said before is heard first; that the socket is at its end is not enough to go by, since a
// child of the host's may have a copy of the other end.
void Coordinator::look_at_server() {
  if (!take_reports()) return be_without_server();
  if (!server_ || !os::wait_readable(server_->pidfd(), 0ms)) return;
  take_reports();
  be_without_server();
}

// False: it is gone.
bool Coordinator::take_reports() {
  while (server_) {
    ForkServer::Received heard = server_->receive();
    if (heard.word != ForkServer::Word::report) return heard.word != ForkServer::Word::gone;
    take_report(heard.report, std::move(heard.pidfd));
  }
  return true;
}

void Coordinator::be_without_server() {
  if (server_) has_left() ? forget_server() : lose_server();
}

Worker* Coordinator::worker_numbered(std::uint64_t number) const noexcept {
  for (const auto& worker : workers_)
    if (worker && worker->number() == number) return worker.get();
  return nullptr;
}

void Coordinator::take_report(const Report& report, os::Fd pidfd) {
  os::ProcessHandle process(report.pid, std::move(pidfd));
  if (report.kind != ReportKind::ended) fork_answered_ = now_;
  if (spare_ && spare_->number() == report.worker) return take_report_of_spare(report, std::move(process));
  Worker* const worker = worker_numbered(report.worker);
  if (!worker) return process.kill();
  switch (report.kind) {
    case ReportKind::ready:
      return;
    case ReportKind::born:
      if (!process) return refuse_birth(*worker, EMFILE);  // its descriptor got no number here
      worker->be_born(std::move(process), now_);
      recount(*worker);
      return welcome(*worker);
    case ReportKind::refused:
      return refuse_birth(*worker, report.error);
    case ReportKind::ended:
      worker->ended = WorkerEnd{.status = {report.signaled, report.number, true, report.dumped},
                                .left = report.left,
                                .max_rss = report.max_rss,
                                .user_time = std::chrono::microseconds(report.user_us),
                                .system_time = std::chrono::microseconds(report.system_us)};
      return note_death(*worker);
  }
}

// It is born, and has a slot.
void Coordinator::welcome(Worker& worker) {
  kills_for_memory_.begin();  // before its first task, and while it is busy with its own birth
  if (worker.outstanding != 0 || filling_ == &worker)
    worker.admit();
  else
    admission_due_ = true;  // with its first task, which comes at once: else it would be woken twice
  ++counted_.workers_started;
  if (worker.doom != KillReason::none && worker.doom != KillReason::retired) worker.process().kill();
  notify({.kind = EventKind::worker_started, .worker = worker.slot(), .process = worker.pid()});
}

// If it lives all the same it was not admitted to its lane, and ends with its lifeline.
void Coordinator::refuse_birth(Worker& worker, int error) {
  const std::unique_ptr<Worker> unborn = take_out(worker);
  redeal_rest(*unborn, ipc::Record(), false);
  be_refused(std::system_error(error, std::generic_category(), "fork").what());
}

// As it was told to, once everybody had ended.
bool Coordinator::has_left() const noexcept {
  return finishing_ && std::all_of(workers_.begin(), workers_.end(),
                                   [this](const auto& w) { return !w || w->ended || w->orphaned || is_direct(*w); });
}

void Coordinator::forget_server() noexcept {
  poller_.forget(server_->socket().get());
  poller_.forget(server_->pidfd().get());
}

// Its workers are not touched by its end: they finish what they have in hand, and are replaced then. One of which we do
// not know that it was born waits to be admitted, which it never will be. In a namespace of their own all have ended
// with it.
void Coordinator::lose_server() {
  forget_server();
  const bool all_ended = server_->takes_workers_along();
  server_->kill();
  server_.reset();
  dismiss_spare();
  spare_policy_.stop_trying();  // there are filters of system calls that end who pins itself to a core
  notify({.kind = EventKind::fork_server_lost});
  for (const auto& worker : workers_) {
    if (!worker || is_direct(*worker)) continue;
    if (!worker->born()) {
      const std::unique_ptr<Worker> unborn = take_out(*worker);
      redeal_rest(*unborn, ipc::Record(), false);
      continue;
    }
    worker->orphaned = true;
    recount(*worker);
    watch_end(*worker);
    if (all_ended)  // their numbers may be somebody else's by now
      worker->be_ended_with_server();
    else if (worker->dying && !worker->ended)
      os::signal_group(static_cast<int>(worker->pid()), os::GroupSignal::kill);
    else if (!has_ended(*worker))
      os::continue_tree(static_cast<int>(worker->pid()));  // the server may have been killed while all were suspended
    if (filling_ == worker.get()) close_fill();
    if (worker->dying || worker->doom != KillReason::none) continue;
    if (!closed()) take_back_from(*worker, worker->outstanding);
    worker->lane().request_stop();
  }
  end_what_came_to_us();  // those of its workers that were dead: nobody's task has left them
  if (respawn_.is_enough(IdleDeath::killed, now_))
    close(Ending::abandoned, "given up: the process that forks the workers was killed again and again");
}

}  // namespace bulkhead::process
