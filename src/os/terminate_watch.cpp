#include "os/terminate_watch.hpp"

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace bulkhead::os {

void on_terminate(std::function<void()> told) {
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &terminate, nullptr);
  std::thread([terminate, told = std::move(told)] {
    for (int sig = 0;;)
      if (sigwait(&terminate, &sig) == 0) told();
  }).detach();
}

}  // namespace bulkhead::os
