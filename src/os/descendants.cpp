#include "os/descendants.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

namespace bulkhead::os {

namespace {

#ifndef P_PIDFD
constexpr idtype_t P_PIDFD = static_cast<idtype_t>(3);
#endif

std::string read_file(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    const ssize_t n = file ? ::read(file.get(), chunk.data(), chunk.size()) : 0;
    if (n <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

// The kernel lists children per thread: all of ours hang off the thread that forked or adopted them, mostly the main
// one.
void kill_listed_children() {
  const std::string list = read_file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  const char* at = list.data();
  const char* end = at + list.size();
  while (at < end) {
    pid_t pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error == std::errc() && pid > 0) ::kill(pid, SIGKILL);
    at = next == at ? at + 1 : next;
  }
}

std::chrono::nanoseconds to_duration(const timeval& t) {
  return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
}

struct Parent {
  pid_t child = 0;  // the process this was opened in: a fork must not use its parent's
  pid_t pid = 0;
  Fd pidfd;
};
Parent& parent() {
  static Parent of;
  if (of.child != ::getpid()) {
    of.pid = ::getppid();
    of.pidfd.reset();
    Fd opened(static_cast<int>(::syscall(SYS_pidfd_open, of.pid, 0)));
    if (opened) of.pidfd = above_standard_streams(std::move(opened));
    of.child = ::getpid();
  }
  return of;
}

}  // namespace

void adopt_orphans() noexcept { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

std::size_t kill_all_children() noexcept {
  std::size_t found = 0;
  for (;;) {
    const pid_t pid = ::waitpid(-1, nullptr, WNOHANG | __WALL);
    if (pid > 0) {
      ++found;
    } else if (pid == 0) {  // some live
      kill_listed_children();
      if (::waitpid(-1, nullptr, __WALL) > 0) ++found;
    } else if (errno != EINTR) {
      return found;
    }
  }
}

Reaped reap_with_usage(const Fd& pidfd) {
  siginfo_t info{};
  rusage usage{};
  // The library's waitid() leaves out the fifth argument that the kernel has.
  while (::syscall(SYS_waitid, P_PIDFD, pidfd.get(), &info, WEXITED | __WALL, &usage) != 0) {
    if (errno != EINTR) return {.status = {.known = false}};
  }
  return {.status = {.signaled = info.si_code != CLD_EXITED,
                     .number = info.si_status,
                     .known = true,
                     .dumped = info.si_code == CLD_DUMPED},
          .user_time = to_duration(usage.ru_utime),
          .system_time = to_duration(usage.ru_stime),
          .max_rss = static_cast<std::uint64_t>(usage.ru_maxrss) << 10};
}

void signal_group(int group, GroupSignal which) noexcept {
  if (group <= 0) return;
  switch (which) {
    case GroupSignal::terminate:
      ::kill(-group, SIGTERM);
      return;
    case GroupSignal::kill:
      ::kill(-group, SIGKILL);
      return;
    case GroupSignal::proceed:
      ::kill(-group, SIGCONT);
      return;
  }
}

ParentWatch::ParentWatch() {
  const Parent& watched = parent();
  if (!watched.pidfd) return;  // no pidfd to be had: the instant SIGKILL stays
  ::prctl(PR_SET_PDEATHSIG, 0);
  armed_ = true;
}

ParentWatch::~ParentWatch() {
  if (!armed_) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent().pid) ::kill(::getpid(), SIGKILL);  // it ended before the line above could arm
}

int ParentWatch::descriptor() const noexcept { return armed_ ? parent().pidfd.get() : -1; }

}  // namespace bulkhead::os
