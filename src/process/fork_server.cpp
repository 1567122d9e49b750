#include "process/fork_server.hpp"

#include "os/descendants.hpp"
#include "process/fork_server_loop.hpp"

#include <array>
#include <chrono>

namespace bulkhead::process {

namespace {

// In the child: nothing may escape into the caller's copy of the stack.
[[noreturn]] void serve(const ForkServer::Life& life, os::DescriptorSocket socket, std::vector<int> kept,
                        int host) noexcept {
  try {
    ForkServerLoop(life, std::move(socket), std::move(kept), host).run();
  } catch (...) {
    os::leave_at_once(1);
  }
}

}  // namespace

ForkServer::ForkServer(Life life, const std::vector<int>& kept) : socket_(os::Fd()) {
  auto [ours, theirs] = os::DescriptorSocket::make_pair();
  const int host = os::process_id();
  auto child = os::fork_child();
  if (!child) serve(life, std::move(theirs), kept, host);
  child_ = *std::move(child);
  os::spare_child(child_.pid());  // a pool made in a task outlives that task
  socket_ = std::move(ours);
}

ForkServer::~ForkServer() {
  socket_ = os::DescriptorSocket(os::Fd());  // the end of the file tells it to end everything, and itself
  child_.proceed();                          // also if somebody stopped it
  constexpr std::chrono::seconds patience{10};
  if (!os::wait_readable(child_.pidfd(), patience)) child_.kill();
  os::spare_child_no_more(child_.pid());
  child_.reap();
}

bool ForkServer::ask_for_worker(std::uint64_t worker, const Cradle& cradle) noexcept {
  const std::uint8_t count = cradle.standard_error ? 4 : 3;
  Order message{
      .worker = worker, .slot = cradle.slot, .seed = cradle.seed, .kind = OrderKind::fork, .descriptors = count};
  const std::array<int, 4> descriptors{cradle.memory.get(), cradle.pipe.get(), cradle.lifeline.get(),
                                       cradle.standard_error.get()};
  return socket_.send(bytes_of(message), std::span(descriptors).first(count));
}

void ForkServer::terminate_group(std::uint64_t worker) noexcept {
  Order message{.worker = worker, .kind = OrderKind::terminate};
  static_cast<void>(socket_.send(bytes_of(message)));  // KILL follows after the grace, by the worker's own pidfd
}

ForkServer::Received ForkServer::receive() {
  Received received;
  std::vector<os::Fd> descriptors;
  switch (socket_.receive(bytes_of(received.report), descriptors)) {
    case os::DescriptorSocket::Receipt::message:
      received.word = Word::report;
      if (!descriptors.empty()) received.pidfd = std::move(descriptors.front());
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
