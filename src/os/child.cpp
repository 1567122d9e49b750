#include "os/child.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <iostream>

namespace bulkhead::os {

namespace {

#ifndef P_PIDFD
constexpr idtype_t P_PIDFD = static_cast<idtype_t>(3);
#endif

int number_of(Signal which) noexcept { return which == Signal::kill ? SIGKILL : SIGTERM; }

// Only our own streams: fflush(nullptr) would wait for a thread that sits in getchar().
void flush_standard_output() noexcept {
  std::fflush(stdout);
  std::fflush(stderr);
  std::cout.flush();
  std::clog.flush();
}

}  // namespace

void Child::signal(Signal which) const noexcept {
  if (pid_ <= 0) return;
  // The group's number cannot be reused while its leader, our unreaped child, still holds it.
  ::kill(-pid_, number_of(which));
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number_of(which), nullptr, 0);
}

std::optional<ExitStatus> Child::try_reap() { return collect(WNOHANG); }

ExitStatus Child::reap() {
  for (;;)
    if (auto status = collect(0)) return *status;
}

std::optional<ExitStatus> Child::collect(int flags) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pidfd_.get());
  if (::waitid(P_PIDFD, id, &info, WEXITED | __WALL | flags) != 0) {
    if (errno == EINTR) return std::nullopt;
    if (errno != ECHILD) throw_errno("waitid(P_PIDFD)");
    *this = Child();
    return ExitStatus{.known = false};
  }
  if (info.si_pid == 0) return std::nullopt;
  *this = Child();
  return ExitStatus{.signaled = info.si_code != CLD_EXITED,
                    .number = info.si_status,
                    .known = true,
                    .dumped = info.si_code == CLD_DUMPED};
}

std::optional<Child> fork_child() {
  flush_standard_output();
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("fork");
  if (pid == 0) return std::nullopt;
  ::setpgid(pid, pid);  // both sides do it: whoever comes first, the group stands before anyone signals it
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    errno = error;
    throw_errno("pidfd_open");
  }
  return Child(pid, above_standard_streams(std::move(pidfd)));
}

void become_worker(int parent) noexcept {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it ended before the line above could arm
  constexpr std::array ending{SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGCHLD};
  sigset_t set;
  sigemptyset(&set);
  for (int sig : ending) {
    ::signal(sig, SIG_DFL);
    sigaddset(&set, sig);
  }
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

int process_id() noexcept { return ::getpid(); }

void leave_worker(int code) noexcept {
  flush_standard_output();
  ::_exit(code);
}

KeepChildStatuses::KeepChildStatuses() noexcept {
  struct sigaction action {};
  if (::sigaction(SIGCHLD, nullptr, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_IGN) {
    ::signal(SIGCHLD, SIG_DFL);
    was_ignored_ = true;
  }
}

KeepChildStatuses::~KeepChildStatuses() {
  if (was_ignored_) ::signal(SIGCHLD, SIG_IGN);
}

}  // namespace bulkhead::os
