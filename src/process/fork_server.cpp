#include "process/fork_server.hpp"

#include "os/descendants.hpp"
#include "os/pid_namespace.hpp"
#include "os/private_descriptors.hpp"
#include "process/fork_server_loop.hpp"

#include <array>
#include <cerrno>
#include <chrono>

namespace bulkhead::process {

namespace {

Order pause_order{.kind = OrderKind::pause}, proceed_order{.kind = OrderKind::proceed};

// Returns in another process than it was called in; where that is refused, in none.
void enter_namespace(os::DescriptorSocket& socket, std::vector<int> kept, const os::Fd& host) {
  kept.push_back(socket.fd().get());
  kept.push_back(host.get());
  os::close_private_descriptors(kept);
  try {
    os::enter_pid_namespace(host);
  } catch (const os::NamespaceRefused& refused) {
    Report report{.kind = ReportKind::refused,
                  .error = refused.code().value(),
                  .number = static_cast<std::int32_t>(refused.step())};
    static_cast<void>(socket.send(bytes_of(report)));
    os::leave_at_once(1);
  }
}

// In the child: nothing may escape into the caller's copy of the stack.
[[noreturn]] void serve(const Life& life, os::DescriptorSocket socket, std::vector<int> kept, int host,
                        const WorkOptions& options) noexcept {
  try {
    os::follow_suspensions_of_parent();
    os::Fd watched = os::watch_process(host);
    if (!os::is_parent(host)) os::leave_at_once(0);
    if (options.isolation == Isolation::pid) enter_namespace(socket, kept, watched);
    ForkServerLoop(life, std::move(socket), std::move(kept), std::move(watched), options.crash_notes).run();
  } catch (...) {
    os::leave_at_once(1);
  }
}

}  // namespace

ForkServer::ForkServer(Life life, const std::vector<int>& kept, const WorkOptions& options) : socket_(os::Fd()) {
  auto [ours, theirs] = os::DescriptorSocket::make_pair();
  const int host = os::process_id();
  prepare_to_fork(options.crash_notes);
  auto child = os::fork_child();
  if (!child) serve(life, std::move(theirs), kept, host, options);
  child_ = *std::move(child);
  os::spare_child(child_.pid());  // a pool made in a task outlives that task
  socket_ = std::move(ours);
  theirs = os::DescriptorSocket(os::Fd());
  if (options.isolation == Isolation::pid) {
    try {
      await_namespace();
    } catch (...) {
      collect();
      throw;
    }
  }
  paused_with_us_.emplace(socket_.fd().get(), bytes_of(pause_order), bytes_of(proceed_order));
}

// A fork by another thread of the host may hold the other end of the socket for a while: its end is not enough.
void ForkServer::await_namespace() {
  constexpr std::chrono::milliseconds look{50};
  for (;;) {
    const bool ended = os::wait_readable(child_.pidfd(), std::chrono::milliseconds(0));
    Received heard = receive();
    if (heard.word == Word::report && heard.report.kind == ReportKind::refused)
      throw os::NamespaceRefused({static_cast<os::NamespaceStep>(heard.report.number), heard.report.error});
    if (heard.word == Word::report && heard.pidfd) {
      first_ = std::move(heard.pidfd);
      return;
    }
    if (ended || heard.word != Word::none) throw os::NamespaceRefused({os::NamespaceStep::start, ESRCH});
    static_cast<void>(os::wait_readable(socket_.fd(), look));
  }
}

ForkServer::~ForkServer() { collect(); }

void ForkServer::collect() noexcept {
  paused_with_us_.reset();
  socket_.shut_down();  // the end of the stream tells it to end everything, and itself
  child_.proceed();     // also if somebody stopped it
  constexpr std::chrono::seconds patience{10};
  if (!os::wait_readable(child_.pidfd(), patience)) child_.kill();
  if (first_) os::wait_readable(first_, patience);  // a guardian that was killed is gone before what it guarded
  os::spare_child_no_more(child_.pid());
  child_.reap();
}

bool ForkServer::ask_for_worker(std::uint64_t worker, const Cradle& cradle, Birth birth) noexcept {
  const std::uint8_t count = cradle.standard_error ? 4 : 3;
  Order message{.worker = worker,
                .lane = cradle.lane,
                .seed = cradle.seed,
                .kind = OrderKind::fork,
                .descriptors = count,
                .birth = birth};
  const std::array<int, 4> descriptors{cradle.memory.get(), cradle.pipe.get(), cradle.lifeline.get(),
                                       cradle.standard_error.get()};
  return socket_.send(bytes_of(message), std::span(descriptors).first(count));
}

void ForkServer::terminate_group(std::uint64_t worker) noexcept {
  Order message{.worker = worker, .kind = OrderKind::terminate};
  static_cast<void>(socket_.send(bytes_of(message)));  // KILL follows after the grace, by the worker's own pidfd
}

void ForkServer::let_leave() noexcept {
  Order message{.kind = OrderKind::leave};
  static_cast<void>(socket_.send(bytes_of(message)));  // else it ends when it is collected
}

ForkServer::Received ForkServer::receive() {
  Received received;
  os::Descriptors descriptors;
  switch (socket_.receive(bytes_of(received.report), descriptors)) {
    case os::DescriptorSocket::Receipt::message:
      received.word = Word::report;
      received.pidfd = std::move(descriptors.front());
      if (first_ && received.pidfd) received.report.pid = os::pid_behind(received.pidfd);
      break;
    case os::DescriptorSocket::Receipt::nothing_now:
      break;
    case os::DescriptorSocket::Receipt::peer_gone:
      received.word = Word::gone;
      break;
  }
  return received;
}

}  // namespace bulkhead::process
