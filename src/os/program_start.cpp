#include "os/program_start.hpp"

#include "os/child.hpp"
#include "os/program_sandbox.hpp"
#include "os/small_file.hpp"
#include "os/spawn.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead::os {

namespace {

constexpr int last_signal = std::min(NSIG - 1, 64);
// A bit for each signal, 1 the lowest.
struct SignalActions {
  std::uint64_t ignored = 0, handled = 0;
};
constexpr std::uint64_t signal_bit(int sig) noexcept { return std::uint64_t{1} << (sig - 1); }

std::optional<std::uint64_t> mask_after(std::string_view text, std::string_view label) noexcept {
  const std::size_t at = text.find(label);
  if (at == text.npos) return std::nullopt;
  const std::string_view digits = text.substr(at + label.size());
  std::uint64_t mask = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), mask, 16).ec != std::errc()) return std::nullopt;
  return mask;
}

// From one file. To ask for each takes 64 system calls: for where there is no /proc.
SignalActions signal_actions() {
  const std::string status = read_small_file("/proc/self/status");
  const auto ignored = mask_after(status, "\nSigIgn:\t"), handled = mask_after(status, "\nSigCgt:\t");
  if (ignored && handled) return {*ignored, *handled};
  SignalActions actions;
  for (int sig = 1; sig <= last_signal; ++sig) {
    struct sigaction action {};
    if (::sigaction(sig, nullptr, &action) != 0 || action.sa_handler == SIG_DFL) continue;
    (action.sa_handler == SIG_IGN ? actions.ignored : actions.handled) |= signal_bit(sig);
  }
  return actions;
}

std::uint64_t ignored_at_start() {
  static const std::uint64_t ignored = signal_actions().ignored;
  return ignored;
}

// Signals whose action the child must put back: a handler of ours must not run in memory it shares with us. Looked up
// once a process, or by several of its threads at the same time.
std::uint64_t signals_to_reset() {
  static std::atomic<std::uint64_t> owner = 0, signals = 0;
  if (owner == process_identity()) return signals;
  const std::uint64_t before = ignored_at_start();
  const auto [ignored, handled] = signal_actions();
  const std::uint64_t ours = (ignored | handled) & ~before;
  signals = ours;
  owner = process_identity();
  return ours;
}

bool lower(decltype(RLIMIT_FSIZE) which, rlim_t to) noexcept {
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) return false;
  limit.rlim_cur = limit.rlim_max = std::min(to, limit.rlim_max);
  return ::setrlimit(which, &limit) == 0;
}

}  // namespace

std::vector<char*> pointers(const std::vector<std::string>& strings, std::size_t spare) {
  std::vector<char*> result(spare, nullptr);
  for (const std::string& s : strings) result.push_back(const_cast<char*>(s.c_str()));
  result.push_back(nullptr);
  return result;
}

void remember_ignored_signals() noexcept { ignored_at_start(); }

ProgramStart::ProgramStart(const ProgramImage& image, const ProgramSandbox* sandbox)
    : image_(image), sandbox_(sandbox), arguments_(pointers(image.arguments, 1)), reset_(signals_to_reset()) {}

bool ProgramStart::lets_child_signal_pass() const noexcept { return (reset_ & signal_bit(SIGCHLD)) == 0; }

ProgramStart::Started ProgramStart::start(char* stack_top) noexcept {
  Started started;
  parent_ = ::getpid();
  started.pid =
      ::clone(become_program, stack_top, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, this, &started.pidfd);
  started.error = started.pid < 0 ? errno : error_;
  started.sandbox = in_sandbox_;
  return started;
}

// From here on in the child, on a stack of its own that AddressSanitizer does not know: it would speak of that, on the
// standard error of the program to be, at each _exit().
[[gnu::no_sanitize_address]] void ProgramStart::give_up() noexcept {
  error_ = errno;
  ::_exit(127);
}

void ProgramStart::take_streams() const noexcept {
  if (image_.input >= 0) ::dup2(image_.input, STDIN_FILENO);
  if (image_.output >= 0) ::dup2(image_.output, STDOUT_FILENO);
  if (image_.error >= 0) ::dup2(image_.error, STDERR_FILENO);
}

[[gnu::no_sanitize_address]] void ProgramStart::prepare_child() noexcept {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent_) ::_exit(127);
  for (int sig = 1; sig <= last_signal; ++sig)
    if ((reset_ & signal_bit(sig)) != 0) ::signal(sig, SIG_DFL);
  take_streams();
  if (!image_.directory.empty() && ::chdir(image_.directory.c_str()) != 0) give_up();
  if (image_.niceness != 0) {
    errno = 0;
    if (::nice(image_.niceness) == -1 && errno != 0) give_up();
  }
  if (image_.file_size != 0 && !lower(RLIMIT_FSIZE, image_.file_size)) give_up();
  if (image_.open_files != 0 && !lower(RLIMIT_NOFILE, image_.open_files)) give_up();
  if (sandbox_ != nullptr && !sandbox_->enter()) {
    in_sandbox_ = true;
    give_up();
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Runs on a stack of its own in the parent's memory, with every signal blocked that has one of our handlers, until the
// actions are in order.
[[gnu::no_sanitize_address]] int ProgramStart::become_program(void* argument) {
  auto& plan = *static_cast<ProgramStart*>(argument);
  plan.prepare_child();
  if (plan.image_.only_try) ::_exit(0);
  const char* const path = plan.image_.path.c_str();
  char** const arguments = plan.arguments_.data() + 1;
  char* const* const environment = const_cast<char* const*>(plan.image_.environment.data());
  ::execve(path, arguments, environment);
  if (errno == ENOEXEC) {
    arguments[-1] = const_cast<char*>("/bin/sh");
    arguments[0] = const_cast<char*>(path);
    ::execve("/bin/sh", arguments - 1, environment);
  }
  plan.give_up();
}

}  // namespace bulkhead::os
