#include "os/terminate_watch.hpp"

#include "os/child.hpp"

#include <pthread.h>
#include <signal.h>

#include <cstdint>
#include <thread>

namespace bulkhead::os {

namespace {

std::stop_source& source() noexcept {
  static std::stop_source all;
  return all;
}

// Of the process that made it: a copy of that process has closed the descriptor, and may have another by its number.
const WakeUp* terminated = nullptr;
std::uint64_t owner = 0;

int descriptor_of(const std::stop_token& stop) noexcept {
  const bool ours = terminated && owner == process_identity() && stop == source().get_token();
  return ours ? terminated->fd().get() : -1;
}

}  // namespace

void stop_on_terminate() {
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &terminate, nullptr);
  terminated = new WakeUp;  // for good
  owner = process_identity();
  std::thread([terminate] {
    for (int sig = 0;;) {
      if (sigwait(&terminate, &sig) != 0) continue;
      terminated->notify();  // first: what the function has asked to be called may take long
      source().request_stop();
    }
  }).detach();
}

std::stop_token terminate_token() noexcept { return source().get_token(); }

StopDescriptor::StopDescriptor(const std::stop_token& stop) : number_(descriptor_of(stop)) {
  if (number_ >= 0 || !stop.stop_possible()) return;
  number_ = own_.emplace().fd().get();
  on_stop_.emplace(stop, Notify{*own_});
}

}  // namespace bulkhead::os
