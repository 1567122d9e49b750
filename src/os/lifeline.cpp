#include "os/lifeline.hpp"

#include "os/at_birth.hpp"
#include "os/socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace bulkhead::os {

namespace {

// Of this process, or of the worker that forked it: a child has the descriptor, not the tie.
int tied = 0;
pid_t tied_process = 0;  // 0: none yet

bool signal_when_lost(bool on) noexcept { return ::fcntl(tied, F_SETFL, O_NONBLOCK | (on ? O_ASYNC : 0)) == 0; }

void end_if_lost() noexcept {
  pollfd end{tied, POLLIN, 0};
  if (::poll(&end, 1, 0) == 1) ::kill(tied_process, SIGKILL);
}

}  // namespace

Lifeline make_lifeline() {
  auto [held, tied_end] = make_socket_pair();
  return {kept_from_children(std::move(held)), kept_from_children(std::move(tied_end))};
}

BULKHEAD_AT_BIRTH void tie_to(Fd end) {
  tied = end.release();
  tied_process = ::getpid();
  if (::fcntl(tied, F_SETOWN, tied_process) != 0) throw_errno("fcntl(F_SETOWN)");
  if (::fcntl(tied, F_SETSIG, SIGKILL) != 0) throw_errno("fcntl(F_SETSIG)");
  if (!signal_when_lost(true)) throw_errno("fcntl(O_ASYNC)");
  end_if_lost();  // before the line above could arm
}

LifelineWatch::LifelineWatch() noexcept {
  if (descriptor() >= 0) signal_when_lost(false);
}

LifelineWatch::~LifelineWatch() {
  if (descriptor() < 0) return;
  signal_when_lost(true);
  end_if_lost();
}

int LifelineWatch::descriptor() const noexcept { return tied_descriptor(); }

BULKHEAD_AT_BIRTH int tied_descriptor() noexcept { return tied_process == ::getpid() ? tied : -1; }

}  // namespace bulkhead::os
