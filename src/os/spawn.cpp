#include "os/spawn.hpp"

#include "os/child.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string_view>
#include <system_error>

namespace bulkhead::os {

namespace {

std::vector<int>& ignored_at_start() {
  static std::vector<int> signals = [] {
    std::vector<int> ignored;
    for (int sig = 1; sig < NSIG; ++sig) {
      struct sigaction action {};
      if (::sigaction(sig, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) ignored.push_back(sig);
    }
    return ignored;
  }();
  return signals;
}

// Signals whose action the child must put back: a handler of ours must not run in memory it shares with us. Looked up
// once a process, because asking for all of them costs 64 system calls.
const std::vector<int>& signals_to_reset() {
  static std::uint64_t owner = 0;
  static std::vector<int> signals;
  if (owner == process_identity()) return signals;
  signals.clear();
  for (int sig = 1; sig < NSIG; ++sig) {
    struct sigaction action {};
    if (::sigaction(sig, nullptr, &action) != 0 || action.sa_handler == SIG_DFL) continue;
    bool keep = false;
    for (int ignored : ignored_at_start()) keep = keep || ignored == sig;
    if (!keep) signals.push_back(sig);
  }
  owner = process_identity();
  return signals;
}

std::vector<char*> pointers(const std::vector<std::string>& strings, std::size_t spare) {
  std::vector<char*> result(spare, nullptr);
  for (const std::string& s : strings) result.push_back(const_cast<char*>(s.c_str()));
  result.push_back(nullptr);
  return result;
}

struct ChildPlan {
  const ProgramImage* image;
  char** argv;  // one spare place before it, for /bin/sh
  char** environment;
  const std::vector<int>* reset;
  pid_t parent;
  volatile int error = 0;  // the child's only way to say why: it writes into our memory
  const char* volatile failed_call = "";
};

[[noreturn]] void give_up(ChildPlan& plan, const char* call) {
  plan.error = errno;
  plan.failed_call = call;
  ::_exit(127);
}

void take_streams(const ProgramImage& image) {
  if (image.input >= 0) ::dup2(image.input, STDIN_FILENO);
  if (image.output >= 0) ::dup2(image.output, STDOUT_FILENO);
  if (image.error >= 0) ::dup2(image.error, STDERR_FILENO);
}

bool lower(decltype(RLIMIT_FSIZE) which, rlim_t to) {
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) return false;
  limit.rlim_cur = limit.rlim_max = std::min(to, limit.rlim_max);
  return ::setrlimit(which, &limit) == 0;
}

// Runs on a stack of its own in the parent's memory, with every signal blocked until the actions are in order.
int become_program(void* argument) {
  auto& plan = *static_cast<ChildPlan*>(argument);
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);
  for (int sig : *plan.reset) ::signal(sig, SIG_DFL);
  take_streams(*plan.image);
  if (!plan.image->directory.empty() && ::chdir(plan.image->directory.c_str()) != 0) give_up(plan, "chdir");
  if (plan.image->niceness != 0) {
    errno = 0;
    if (::nice(plan.image->niceness) == -1 && errno != 0) give_up(plan, "nice");
  }
  const ProgramImage& image = *plan.image;
  if (image.file_size != 0 && !lower(RLIMIT_FSIZE, image.file_size)) give_up(plan, "setrlimit(RLIMIT_FSIZE)");
  if (image.open_files != 0 && !lower(RLIMIT_NOFILE, image.open_files)) give_up(plan, "setrlimit(RLIMIT_NOFILE)");
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const char* path = plan.image->path.c_str();
  ::execve(path, plan.argv, plan.environment);
  if (errno == ENOEXEC) {
    plan.argv[-1] = const_cast<char*>("/bin/sh");
    plan.argv[0] = const_cast<char*>(path);
    ::execve("/bin/sh", plan.argv - 1, plan.environment);
  }
  give_up(plan, "execve");
}

constexpr std::size_t stack_size = 64 << 10;

}  // namespace

void remember_ignored_signals() noexcept { ignored_at_start(); }

Spawned spawn(const ProgramImage& image) {
  std::vector<char*> argv = pointers(image.arguments, 1);
  std::vector<char*> environment = pointers(image.environment, 0);
  ChildPlan plan{.image = &image,
                 .argv = argv.data() + 1,
                 .environment = environment.data(),
                 .reset = &signals_to_reset(),
                 .parent = ::getpid()};
  thread_local const std::unique_ptr<std::max_align_t[]> stack(
      new std::max_align_t[stack_size / sizeof(std::max_align_t)]);

  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int pidfd = -1;
  char* top = reinterpret_cast<char*>(stack.get()) + stack_size;
  const int pid = ::clone(become_program, top, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);

  if (pid < 0) return {.error = error, .failed_call = "clone"};
  Fd owner(pidfd);
  if (plan.error != 0) {
    while (::waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {
    }
    return {.error = plan.error, .failed_call = plan.failed_call};
  }
  return {.pid = pid, .pidfd = above_standard_streams(std::move(owner))};
}

void exec_here(const std::string& path, const std::vector<std::string>& arguments,
               const std::vector<std::string>& environment) {
  std::vector<char*> argv = pointers(arguments, 0), variables = pointers(environment, 0);
  ::execve(path.c_str(), argv.data(), variables.data());
  throw std::system_error(errno, std::generic_category(), "cannot start " + arguments.at(0));
}

std::size_t longest_command_line() noexcept {
  constexpr std::size_t most = 6 << 20, least = 128 << 10;  // the kernel's own bounds, whatever the stack may grow to
  const long said = ::sysconf(_SC_ARG_MAX);
  return std::clamp(said > 0 ? static_cast<std::size_t>(said) : least, least, most);
}

std::vector<std::string> own_environment() {
  std::vector<std::string> result;
  for (char** entry = environ; entry && *entry; ++entry) result.emplace_back(*entry);
  return result;
}

std::string find_program(const std::string& name, const char* path, const std::string& directory) {
  if (name.empty() || name.find('/') != std::string::npos) return name;
  std::string_view rest = path ? path : "/bin:/usr/bin";
  for (;;) {
    const std::size_t colon = rest.find(':');
    std::string candidate(rest.substr(0, colon));
    candidate += candidate.empty() ? "./" : "/";
    candidate += name;
    const bool relative = candidate.front() != '/' && !directory.empty();
    const std::string place = relative ? directory + "/" + candidate : candidate;
    struct stat info {};
    if (::stat(place.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(place.c_str(), X_OK) == 0)
      return candidate;
    if (colon == std::string_view::npos) return {};
    rest.remove_prefix(colon + 1);
  }
}

}  // namespace bulkhead::os
