#include "os/suspension_watch.hpp"

#include "os/at_birth.hpp"
#include "os/child.hpp"
#include "os/descendants.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace bulkhead::os {

namespace {

std::uint64_t told_by_signals = 0;  // the process that is

sigset_t pause_and_proceed() noexcept {
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGTSTP);
  sigaddset(&both, SIGCONT);
  return both;
}

}  // namespace

BULKHEAD_AT_BIRTH void be_suspended_by_signals() noexcept { told_by_signals = process_identity(); }

SuspensionWatch::SuspensionWatch() {
  if (told_by_signals != process_identity()) return;
  const sigset_t both = pause_and_proceed();
  Fd signals(::signalfd(-1, &both, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) throw_errno("signalfd");
  signals_ = above_standard_streams(std::move(signals));
  ::pthread_sigmask(SIG_BLOCK, &both, &before_);
}

SuspensionWatch::~SuspensionWatch() {
  if (signals_) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

// Of the two the kernel keeps the last one only.
SuspensionWatch::Heard SuspensionWatch::hear() noexcept {
  signalfd_siginfo signal{};
  if (::read(signals_.get(), &signal, sizeof signal) != sizeof signal) return Heard::nothing;
  return signal.ssi_signo == SIGTSTP ? Heard::pause : Heard::proceed;
}

void SuspensionWatch::follow(int parent) noexcept {
  if (hear() != Heard::pause) return;
  do {
    stop_all_descendants();
    pollfd waiting[] = {{signals_.get(), POLLIN, 0}, {parent, POLLIN, 0}};
    ::poll(waiting, 2, -1);
    if (waiting[1].revents != 0) return;
  } while (hear() != Heard::proceed);
  continue_all_descendants();
}

}  // namespace bulkhead::os
