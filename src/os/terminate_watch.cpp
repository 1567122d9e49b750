#include "os/terminate_watch.hpp"

#include "os/at_birth.hpp"
#include "os/child.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

namespace bulkhead::os {

namespace {

std::stop_source& source() noexcept {
  static std::stop_source all;
  return all;
}

// Readable while SIGTERM is pending in the process that asks, and nobody takes it. Forked children keep it: what a task
// has captured goes on to mean this number, and tells them of their own.
int terminate_descriptor = -1;
std::uint64_t owner = 0;  // the process that holds SIGTERM

sigset_t only_terminate() noexcept {
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  return terminate;
}

}  // namespace

BULKHEAD_AT_BIRTH void hold_terminate() {
  const sigset_t terminate = only_terminate();
  pthread_sigmask(SIG_BLOCK, &terminate, nullptr);
  Fd fd(::signalfd(-1, &terminate, SFD_CLOEXEC));
  if (!fd) throw_errno("signalfd");
  terminate_descriptor = above_standard_streams(std::move(fd)).release();  // for good
  owner = process_identity();
}

void stop_on_terminate() {
  hold_terminate();
  sigset_t suspensions, before;  // must not stop us by way of that thread: see suspension_watch.hpp
  sigemptyset(&suspensions);
  sigaddset(&suspensions, SIGTSTP);
  sigaddset(&suspensions, SIGCONT);
  pthread_sigmask(SIG_BLOCK, &suspensions, &before);
  std::thread([] {
    const sigset_t terminate = only_terminate();
    for (int sig = 0; sigwait(&terminate, &sig) != 0;) continue;  // not by the descriptor: a task may have closed it
    ::kill(::getpid(), SIGTERM);  // what was taken is gone; this one stays, for whoever polls
    source().request_stop();
  }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

StopRequest terminate_request() noexcept { return StopRequest(terminate_descriptor); }
std::stop_token terminate_token() noexcept { return source().get_token(); }

StopDescriptor::StopDescriptor(const StopRequest& stop) : number_(stop.descriptor()) {
  if (!stop.token().stop_possible()) return;
  if (owner == process_identity() && stop.token() == source().get_token()) {  // that comes by the same signal
    number_ = terminate_descriptor;
    return;
  }
  number_ = own_.emplace().fd().get();
  on_stop_.emplace(stop.token(), Notify{*own_});
}

}  // namespace bulkhead::os
