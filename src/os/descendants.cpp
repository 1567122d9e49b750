#include "os/descendants.hpp"

#include "os/apart.hpp"
#include "os/at_birth.hpp"
#include "os/small_file.hpp"
#include "os/wait_by_pidfd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

namespace bulkhead::os {

namespace {

// The kernel lists children per thread that forked or adopted them.
template <class Visit>
void for_each_child(std::string_view list, Visit&& visit) {
  const char* at = list.data();
  const char* end = at + list.size();
  while (at < end) {
    int pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error == std::errc() && pid > 0) visit(pid);
    at = next == at ? at + 1 : next;
  }
}

void append_children(std::string_view list, std::vector<int>& all) {
  for_each_child(list, [&](int pid) { all.push_back(pid); });
}

std::vector<int> children_of(const std::string& process) {
  std::vector<int> all;
  const std::string threads = "/proc/" + process + "/task";
  DIR* const folder = ::opendir(threads.c_str());
  if (folder == nullptr) return all;
  while (const dirent* entry = ::readdir(folder))
    if (entry->d_name[0] != '.') append_children(read_small_file(threads + "/" + entry->d_name + "/children"), all);
  ::closedir(folder);
  return all;
}

// What multiplies must not outrun its end: a process is stopped first and asked for its children then, so that none can
// be born behind our back.
void stop_whole_trees(std::vector<int>& processes) {
  for (std::size_t i = 0; i < processes.size(); ++i) {
    ::kill(processes[i], SIGSTOP);
    const std::vector<int> below = children_of(std::to_string(processes[i]));
    processes.insert(processes.end(), below.begin(), below.end());
  }
}

// One that sleeps in the kernel where no signal wakes it ('D') stands still too once it was told to: it stops before it
// runs again, and makes no child with a signal pending. So does who waits for a child that has borrowed its memory and
// was stopped before it became a program: that would be waited for in vain.
bool stands_still(int pid, bool told) {
  const std::string stat = read_small_file("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = stat.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= stat.size() ||
         std::string_view(told ? "TtZXD" : "TtZX").find(stat[name_end + 2]) != std::string_view::npos;
}

// A signal is taken some time after it was sent, and until then its target may fork. So whoever was seen to stand still
// before it was asked for its children has no others; whoever was not is sent the signal, and the answer is false.
bool all_stand_still(std::vector<int>& told) {
  bool all = true;
  std::vector<int> found = children();
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!stands_still(found[i], std::find(told.begin(), told.end(), found[i]) != told.end())) {
      ::kill(found[i], SIGSTOP);
      told.push_back(found[i]);
      all = false;
    }
    const std::vector<int> below = children_of(std::to_string(found[i]));
    found.insert(found.end(), below.begin(), below.end());
  }
  return all;
}

// No lock, and no list that could be met half changed: another thread may be forking at any moment.
BULKHEAD_LAST std::array<std::atomic<int>, 1024> always_spared;
std::atomic<std::size_t> spared_count = 0;  // at least so many; 0: their page need not be looked at

void erase_spared(std::vector<int>& found, std::span<const int> spared) {
  const auto always = std::span(always_spared).first(spared_count == 0 ? 0 : always_spared.size());
  std::erase_if(found, [&](int pid) {
    return std::find(spared.begin(), spared.end(), pid) != spared.end() ||
           std::find(always.begin(), always.end(), pid) != always.end();
  });
}

// Stored to only where that changes it: between two forks each page that is stored to is copied.
void note_fork(bool now) noexcept {
  if (noted_fork != now) noted_fork = now;
}
void note_child() noexcept { note_fork(true); }
BULKHEAD_AT_BIRTH void note_birth() noexcept { note_fork(false); }

// False: it had ended otherwise before.
bool reap_killed(int pid) noexcept {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | __WALL) != 0 && errno == EINTR) {
  }
  return info.si_code == CLD_KILLED && info.si_status == SIGKILL;
}

template <class List>
std::size_t end_all_except(std::span<const int> spared, List&& list) noexcept {
  std::size_t living = 0;
  try {
    for (;;) {
      std::vector<int> found = list();
      erase_spared(found, spared);
      if (found.empty()) return living;
      const std::size_t ours = found.size();
      stop_whole_trees(found);
      for (const int pid : found) ::kill(pid, SIGKILL);
      for (std::size_t i = 0; i < ours; ++i) living += reap_killed(found[i]) ? 1 : 0;
    }
  } catch (...) {  // no memory for the list: what was found is ended, and at the next end is looked again
    return living;
  }
}

std::chrono::nanoseconds to_duration(const timeval& t) {
  return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
}

}  // namespace

BULKHEAD_AT_BIRTH void adopt_orphans() noexcept { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

std::size_t kill_all_children() noexcept {
  std::size_t living = 0;
  const auto count = [&](int status) { living += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 1 : 0; };
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG | __WALL);
    if (pid > 0) {
      count(status);
    } else if (pid == 0) {  // some live
      for (const int child : children()) ::kill(child, SIGKILL);
      if (::waitpid(-1, &status, __WALL) > 0) count(status);
    } else if (errno != EINTR) {
      return living;
    }
  }
}

Reaped reap_with_usage(const Fd& pidfd) {
  siginfo_t info{};
  rusage usage{};
  // The library's waitid() leaves out the fifth argument that the kernel has.
  while (::syscall(SYS_waitid, wait_by_pidfd, pidfd.get(), &info, WEXITED | __WALL, &usage) != 0) {
    if (errno != EINTR) return {.status = {.known = false}};
  }
  return {.status = {.signaled = info.si_code != CLD_EXITED,
                     .number = info.si_status,
                     .known = true,
                     .dumped = info.si_code == CLD_DUMPED},
          .user_time = to_duration(usage.ru_utime),
          .system_time = to_duration(usage.ru_stime),
          .max_rss = static_cast<std::uint64_t>(usage.ru_maxrss) << 10,
          .minor_faults = static_cast<std::uint64_t>(usage.ru_minflt)};
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

void signal_tree(int group, std::span<const int> tree, int signal) noexcept {
  std::array<int, 2> signals{signal, SIGCONT};
  if (signal == SIGKILL || signal == SIGSTOP) signals[1] = 0;
  for (const int number : signals) {
    if (number == 0) continue;
    ::kill(-group, number);
    for (const int pid : tree)
      if (::getpgid(pid) != group) ::kill(pid, number);
  }
}

bool has_children() noexcept {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

void spare_child(int pid) noexcept {
  ++spared_count;  // first
  for (std::atomic<int>& place : always_spared)
    if (int none = 0; place.compare_exchange_strong(none, pid)) return;
}

void spare_child_no_more(int pid) noexcept {
  for (std::atomic<int>& place : always_spared)
    if (int same = pid; place.compare_exchange_strong(same, 0)) return void(--spared_count);
}

BULKHEAD_AT_BIRTH void forget_spared_children() noexcept {
  if (spared_count == 0) return;
  for (std::atomic<int>& place : always_spared)
    if (place != 0) place = 0;
  spared_count = 0;
}

std::atomic<bool> noted_fork{false};

BULKHEAD_AT_BIRTH void prepare_to_note_forks() noexcept {
  // Two threads may do it twice, which changes nothing. A lock might be held by another at the moment of a fork.
  static std::atomic<bool> prepared = false;
  if (!prepared && ::pthread_atfork(nullptr, note_child, note_birth) == 0) prepared = true;
}

BULKHEAD_AT_BIRTH void note_forks() noexcept {
  prepare_to_note_forks();
  noted_fork = false;
}

bool forked_meanwhile() noexcept { return noted_fork && noted_fork.exchange(false); }

std::vector<int> children() { return children_of("self"); }

OwnChildren::OwnChildren() {
  Fd list(::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC));
  if (list) list_ = kept_from_children(std::move(list));
}

std::vector<int> OwnChildren::now() const {
  if (!list_) return children();
  std::vector<int> all;
  append_children(read_small_file(list_), all);
  return all;
}

bool OwnChildren::any_besides(const std::function<bool(int)>& known) const {
  const auto list = read_small_file(list_, text_);
  bool others = !list;
  if (list) for_each_child(*list, [&](int pid) { others = others || !known(pid); });
  return others;
}

std::vector<int> descendants_of(int process) {
  std::vector<int> all = children_of(process == 0 ? "self" : std::to_string(process));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::vector<int> below = children_of(std::to_string(all[i]));
    all.insert(all.end(), below.begin(), below.end());
  }
  return all;
}

void stop_all_descendants() noexcept {
  constexpr int most_rounds = 1000;  // one that waits for a disk takes the signal when that answers
  constexpr timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
  try {
    std::vector<int> told;
    for (int round = 0; round < most_rounds && !all_stand_still(told); ++round) ::nanosleep(&pause, nullptr);
  } catch (...) {  // no memory for the list: what was found is stopped
  }
}

void continue_all_descendants() noexcept {
  try {
    for (const int pid : descendants_of(0)) ::kill(pid, SIGCONT);
  } catch (...) {  // no memory for the list
  }
}

void continue_tree(int process) noexcept {
  ::kill(process, SIGCONT);
  try {
    for (const int pid : descendants_of(process)) ::kill(pid, SIGCONT);
  } catch (...) {  // no memory for the list
  }
}

std::size_t end_children_except(std::span<const int> spared) noexcept { return end_all_except(spared, children); }

std::size_t end_children_except(std::span<const int> spared, const OwnChildren& children) noexcept {
  return end_all_except(spared, [&] { return children.now(); });
}

}  // namespace bulkhead::os
