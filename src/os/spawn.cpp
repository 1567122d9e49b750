#include "os/spawn.hpp"

#include "os/descendants.hpp"
#include "os/program_start.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <string_view>
#include <system_error>

namespace bulkhead::os {

namespace {

Spawned spawn_here(ProgramStart& start) {
  alignas(std::max_align_t) char stack[ProgramStart::stack_size];
  const ProgramStart::Started started = start.start(stack + sizeof stack);
  if (started.pid < 0) return {.error = started.error};
  Fd pidfd(started.pidfd);
  if (started.error == 0) return {.pid = started.pid, .pidfd = above_standard_streams(std::move(pidfd))};
  while (::waitpid(started.pid, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  return {.error = started.error};
}

class SignalsBlocked {
 public:
  explicit SignalsBlocked(const ProgramStart& start) {
    sigset_t all;
    sigfillset(&all);
    // The end of a program that was quicker than we are would wake the thread that waits for SIGTERM.
    if (start.lets_child_signal_pass()) sigdelset(&all, SIGCHLD);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

struct ProgramSearch {
  std::string name, places, directory, found;
};

bool is_program(const std::string& candidate, const std::string& directory) {
  if (candidate.empty()) return false;
  const bool relative = candidate.front() != '/' && !directory.empty();
  const std::string place = relative ? directory + "/" + candidate : candidate;
  struct stat info {};
  return ::stat(place.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(place.c_str(), X_OK) == 0;
}

std::string search_program(const std::string& name, std::string_view places, const std::string& directory) {
  for (;;) {
    const std::size_t colon = places.find(':');
    std::string candidate(places.substr(0, colon));
    candidate += candidate.empty() ? "./" : "/";
    candidate += name;
    if (is_program(candidate, directory)) return candidate;
    if (colon == std::string_view::npos) return {};
    places.remove_prefix(colon + 1);
  }
}

}  // namespace

Spawned spawn(const ProgramImage& image) {
  ProgramStart start(image, image.sandbox);
  const SignalsBlocked blocked(start);
  return image.own_namespace ? spawn_in_namespace(image, start) : spawn_here(start);
}

std::vector<int> tree_of(const Spawned& program, bool all_children) {
  if (program.first) return descendants_of(program.first.pid());
  if (all_children) return descendants_of(0);
  std::vector<int> all = descendants_of(program.pid);
  all.push_back(program.pid);
  return all;
}

void signal_program(const Spawned& program, std::span<const int> tree, int signal) noexcept {
  if (program.first && signal == SIGKILL)
    program.first.kill();
  else
    signal_tree(program.pid, tree, signal);
}

FirstProcess::End collect(Spawned& program, bool all_children) {
  if (program.first) return program.first.collect();
  // Its leader is not reaped yet, so the group's number still means this group.
  signal_group(program.pid, GroupSignal::kill);
  const Reaped reaped = reap_with_usage(program.pidfd);
  return {reaped, all_children && kill_all_children() > 0};
}

void exec_here(const std::string& path, const std::vector<std::string>& arguments,
               const std::vector<const char*>& environment) {
  std::vector<char*> words = pointers(arguments, 0);
  ::execve(path.c_str(), words.data(), const_cast<char* const*>(environment.data()));
  throw std::system_error(errno, std::generic_category(), "cannot start " + arguments.at(0));
}

std::size_t longest_command_line() noexcept {
  constexpr std::size_t most = 6 << 20, least = 128 << 10;  // the kernel's own bounds, whatever the stack may grow to
  const long said = ::sysconf(_SC_ARG_MAX);
  return std::clamp(said > 0 ? static_cast<std::size_t>(said) : least, least, most);
}

std::vector<const char*> own_environment() {
  std::vector<const char*> all;
  for (char** entry = environ; entry && *entry; ++entry) all.push_back(*entry);
  return all;
}

std::string find_program(const std::string& name, const char* path, const std::string& directory) {
  if (name.empty() || name.find('/') != std::string::npos) return name;
  const std::string_view places = path ? path : "/bin:/usr/bin";
  // Most programs are started again and again, and each search asks the kernel about every place before the right one.
  static std::mutex guards_last;
  static ProgramSearch* last = nullptr;  // for good: threads may still search while the process ends
  // Not waited for: who is busy with it may be a thread that is not there any more, after a fork.
  const std::unique_lock<std::mutex> lock(guards_last, std::try_to_lock);
  if (!lock) return search_program(name, places, directory);
  if (last == nullptr) last = new ProgramSearch;
  if (last->name != name || last->places != places || last->directory != directory ||
      !is_program(last->found, directory))
    *last = {name, std::string(places), directory, search_program(name, places, directory)};
  return last->found;
}

}  // namespace bulkhead::os
