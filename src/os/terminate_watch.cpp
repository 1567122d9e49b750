#include "os/terminate_watch.hpp"

#include "os/fd.hpp"

#include <pthread.h>
#include <signal.h>

#include <thread>

namespace bulkhead::os {

namespace {

std::stop_source& source() noexcept {
  static std::stop_source all;
  return all;
}

const WakeUp* terminated = nullptr;

}  // namespace

void stop_on_terminate() {
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &terminate, nullptr);
  static const WakeUp wake_up;
  terminated = &wake_up;
  std::thread([terminate] {
    for (int sig = 0;;) {
      if (sigwait(&terminate, &sig) != 0) continue;
      terminated->notify();
      source().request_stop();
    }
  }).detach();
}

std::stop_token terminate_token() noexcept { return source().get_token(); }

int descriptor_of(const std::stop_token& token) noexcept {
  return terminated && token == source().get_token() ? terminated->fd().get() : -1;
}

}  // namespace bulkhead::os
