#include "os/lifeline.hpp"

#include "os/private_descriptors.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace bulkhead::os {

namespace {

int tied = -1;
pid_t owner = 0;  // a process that the worker forks has the descriptor, not the tie

bool set_signal_on_loss(bool on) noexcept {
  return ::fcntl(tied, F_SETFL, O_NONBLOCK | (on ? O_ASYNC : 0)) == 0;
}

}  // namespace

Pipe make_lifeline() {
  Pipe pipe = make_pipe(4096);
  return {kept_from_children(std::move(pipe.read_end)), kept_from_children(std::move(pipe.write_end))};
}

bool tie_to(const Fd& read_end) noexcept {
  // Opened anew: whom to signal is a property of the open file, which all forked copies share.
  char path[32] = "/proc/self/fd/";
  char* at = path + 14;
  for (int n = read_end.get(), digit = 1'000'000'000; digit > 0; digit /= 10)
    if (n >= digit || digit == 1) *at++ = static_cast<char>('0' + n / digit % 10);
  const int fd = ::open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  mark_private(fd);
  tied = fd;
  owner = ::getpid();
  if (::fcntl(fd, F_SETOWN, owner) != 0 || ::fcntl(fd, F_SETSIG, SIGKILL) != 0 || !set_signal_on_loss(true))
    return false;
  pollfd lost{fd, 0, 0};
  if (::poll(&lost, 1, 0) == 1) ::kill(owner, SIGKILL);  // it was lost before the line above could arm
  return true;
}

LifelineWatch::LifelineWatch() noexcept {
  if (descriptor() >= 0) set_signal_on_loss(false);
}

LifelineWatch::~LifelineWatch() {
  if (descriptor() < 0) return;
  set_signal_on_loss(true);
  pollfd lost{tied, 0, 0};
  if (::poll(&lost, 1, 0) == 1) ::kill(owner, SIGKILL);
}

int LifelineWatch::descriptor() const noexcept { return tied_descriptor(); }

int tied_descriptor() noexcept { return owner == ::getpid() ? tied : -1; }

}  // namespace bulkhead::os
