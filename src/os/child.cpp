#include "os/child.hpp"

#include "os/at_birth.hpp"
#include "os/wait_by_pidfd.hpp"

#include <sched.h>
#include <signal.h>
#include <stdio_ext.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ext/stdio_sync_filebuf.h>
#include <iostream>
#include <streambuf>
#include <typeinfo>

namespace bulkhead::os {

namespace {

// How many pid namespaces were entered on the way from the first program to this process.
std::uint64_t generation = 0;

int number_of(Signal which) noexcept { return which == Signal::kill ? SIGKILL : SIGTERM; }

// Where no part of the program includes <iostream> these are zeros of which nobody has made streams: the first word of
// a stream is its pointer to virtual functions, which its constructor sets.
bool is_made(const std::ostream& stream) noexcept {
  const void* functions = nullptr;
  std::memcpy(&functions, static_cast<const void*>(&stream), sizeof functions);
  return functions != nullptr;
}

// As it is unless it was unbound from stdio, or bound to another file: then it keeps nothing back, and its flush() is
// that of stdout or stderr.
bool writes_to_stdio(const std::ostream& stream) noexcept {
  using OfStdio = __gnu_cxx::stdio_sync_filebuf<char>;
  std::streambuf* const buffer = stream.rdbuf();
  if (buffer == nullptr || typeid(*buffer) != typeid(OfStdio)) return false;
  const std::FILE* const file = static_cast<OfStdio*>(buffer)->file();
  return file == stdout || file == stderr;
}

// Only our own streams: fflush(nullptr) would wait for a thread that sits in getchar(). And only where there may be
// something: each worker would map what the flushing runs for itself, and look up its names, which takes longer than
// the rest of its end. Stdio's come last: others may write into them.
void flush_standard_output() noexcept {
  for (std::ostream* const stream : {&std::cout, &std::clog})
    if (is_made(*stream) && !writes_to_stdio(*stream)) stream->flush();
  for (std::FILE* const stream : {stdout, stderr})
    if (::__fpending(stream) != 0) std::fflush(stream);
}

void send(const Fd& pidfd, int number) noexcept {
  if (pidfd) ::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0);
}

}  // namespace

void ProcessHandle::terminate() const noexcept { send(pidfd_, SIGTERM); }
void ProcessHandle::kill() const noexcept { send(pidfd_, SIGKILL); }

void Child::signal(Signal which) const noexcept {
  if (pid_ <= 0) return;
  // The group's number cannot be reused while its leader, our unreaped child, still holds it.
  ::kill(-pid_, number_of(which));
  send(pidfd_, number_of(which));
}

void Child::kill() const noexcept { send(pidfd_, SIGKILL); }
void Child::proceed() const noexcept { send(pidfd_, SIGCONT); }

std::optional<ExitStatus> Child::try_reap() { return collect(WNOHANG); }

ExitStatus Child::reap() {
  for (;;)
    if (auto status = collect(0)) return *status;
}

std::optional<ExitStatus> Child::collect(int flags) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pidfd_.get());
  if (::waitid(wait_by_pidfd, id, &info, WEXITED | __WALL | flags) != 0) {
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

// Another thread that holds it may be blocked for ever in a pipe that nobody reads.
bool flush_before_fork() noexcept {
  const bool free = ::ftrylockfile(stdout) == 0;
  if (free) {
    ::fflush_unlocked(stdout);
    ::funlockfile(stdout);
  }
  if (is_made(std::cout) && !writes_to_stdio(std::cout)) std::cout.flush();  // else it would wait for the lock
  return free;
}

BULKHEAD_AT_BIRTH std::optional<Child> fork_child() {
  const bool flushed = flush_before_fork();
  auto child = fork_silently();
  if (!child && !flushed) ::__fpurge(stdout);  // the parent still has it
  return child;
}

BULKHEAD_AT_BIRTH std::optional<Child> fork_silently() {
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("fork");
  if (pid == 0) return std::nullopt;
  ::setpgid(pid, pid);  // both sides do it: whoever comes first, the group stands before anyone signals it
  try {
    return Child(pid, watch_process(pid));
  } catch (...) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw;
  }
}

void let_child_go_first() noexcept { ::sched_yield(); }

BULKHEAD_AT_BIRTH void lead_own_group() noexcept { ::setpgid(0, 0); }

BULKHEAD_AT_BIRTH void take_default_signal_actions() noexcept {
  for (const int sig : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGCHLD, SIGXCPU, SIGXFSZ, SIGTSTP,
                        SIGTTIN, SIGTTOU})
    ::signal(sig, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

int process_id() noexcept { return ::getpid(); }

BULKHEAD_AT_BIRTH std::uint64_t process_identity() noexcept {
  return generation << 32 | static_cast<std::uint32_t>(::getpid());
}
void enter_generation() noexcept { ++generation; }

BULKHEAD_AT_BIRTH Fd watch_process(int pid) {
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) throw_errno("pidfd_open");
  return kept_from_children(std::move(pidfd));
}

bool is_parent(int pid) noexcept { return ::getppid() == pid; }
BULKHEAD_AT_BIRTH void name_process(const char* name) noexcept { ::prctl(PR_SET_NAME, name); }

ProcessName process_name() noexcept {
  ProcessName name{};
  ::prctl(PR_GET_NAME, name.data());
  return name;
}

void leave_worker(int code) noexcept {
  flush_standard_output();
  ::_exit(code);
}

void leave_at_once(int code) noexcept { ::_exit(code); }

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
