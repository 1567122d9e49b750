// The ways in which code in a worker can end badly, and the means to say exactly when.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

enum class Way { throws, exits_0, exits_7, bad_store, terminates, aborts, overflows, killed, hangs, stops };

inline constexpr std::array all_ways{Way::throws, Way::exits_0,   Way::exits_7, Way::bad_store, Way::terminates,
                                     Way::aborts, Way::overflows, Way::killed,  Way::hangs,     Way::stops};
inline constexpr std::array names_of_ways{
    "throws", "exit(0)",          "_exit(7)", "a bad store",         "std::terminate",
    "abort",  "a stack overflow", "SIGKILL",  "hangs, deaf to TERM", "stops itself"};
static_assert(names_of_ways.size() == all_ways.size());
inline const char* name_of(Way way) { return names_of_ways[static_cast<std::size_t>(way)]; }

/// The process does not end by itself.
inline bool lingers(Way way) { return way == Way::hangs || way == Way::stops; }

[[gnu::noinline]] inline int use_up_stack(const volatile char* above, int depth) {
  volatile char frame[4096];
  frame[0] = above != nullptr ? above[0] : '\0';
  if (depth < 0) return frame[0];
  return use_up_stack(frame, depth + 1) + frame[0];  // something is left to do: this is no loop
}

// Sanitizers catch SIGSEGV and exit instead: the default action is what a task of a user's has.
inline void crash_by(int sig) {
  std::signal(sig, SIG_DFL);
  std::raise(sig);
}

inline void misbehave(Way way) {
#if defined(__SANITIZE_ADDRESS__)
  std::signal(SIGSEGV, SIG_DFL);  // its own handler would exit instead
#endif
  switch (way) {
    case Way::throws:
      throw std::runtime_error("planned");
    case Way::exits_0:
      std::exit(0);
    case Way::exits_7:
      ::_exit(7);
    case Way::bad_store: {
      volatile std::uintptr_t nowhere = 16;
      *reinterpret_cast<volatile int*>(nowhere) = 1;
      return;
    }
    case Way::terminates:
      std::terminate();
    case Way::aborts:
      std::abort();
    case Way::overflows: {
      rlimit stack{};
      ::getrlimit(RLIMIT_STACK, &stack);
      stack.rlim_cur = std::min<rlim_t>(stack.rlim_cur, 8u << 20);  // where there is no limit it would be the memory
      ::setrlimit(RLIMIT_STACK, &stack);
      use_up_stack(nullptr, 0);
      return;
    }
    case Way::killed:
      if (::getpid() > 1) ::kill(::getpid(), SIGKILL);
      return;
    case Way::hangs:
      std::signal(SIGTERM, SIG_IGN);
      for (;;) ::pause();
    case Way::stops:
      std::raise(SIGSTOP);
      return;
  }
}

/// Whether `fd` becomes readable, or at its end, within `limit`: for a pidfd, whether its process ends.
inline bool readable_within(int fd, std::chrono::milliseconds limit) {
  pollfd asked{fd, POLLIN, 0};
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const int ready = ::poll(&asked, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

/// Whether the process ends within `limit`. It need not be a child of ours.
inline bool ends_within(long pid, std::chrono::milliseconds limit) {
  if (pid <= 1) return false;
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return errno == ESRCH;
  const bool ended = readable_within(pidfd, limit);
  ::close(pidfd);
  return ended;
}

/// Whether a thread of this process sleeps in the kernel now.
inline bool is_asleep(long thread) {
  const std::string name = "/proc/self/task/" + std::to_string(thread) + "/stat";
  char text[512] = {};
  const int file = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t size = ::read(file, text, sizeof text - 1);
  ::close(file);
  const char* const name_end = size > 0 ? std::strrchr(text, ')') : nullptr;
  return name_end != nullptr && name_end[1] == ' ' && name_end[2] == 'S';
}

/// A pipe that closes itself, with words for what tests do with it.
class Gate {
 public:
  Gate() {
    if (::pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() { close_reading(), close_writing(); }

  void open() const noexcept { static_cast<void>(!::write(ends_[1], "g", 1)); }
  void pass() const noexcept {
    char byte = 0;
    while (::read(ends_[0], &byte, 1) < 0 && errno == EINTR) {
    }
  }
  bool is_open() const { return opens_within(std::chrono::milliseconds(0)); }
  bool opens_within(std::chrono::milliseconds limit) const { return readable_within(ends_[0], limit); }
  /// Everybody else who had its writing end is gone, and nothing was written. Closes our own.
  bool is_deserted_within(std::chrono::milliseconds limit) {
    close_writing();
    char byte = 0;
    return readable_within(ends_[0], limit) && ::read(ends_[0], &byte, 1) == 0;
  }
  void close_reading() noexcept {
    if (ends_[0] >= 0) ::close(std::exchange(ends_[0], -1));
  }
  void close_writing() noexcept {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }

 private:
  int ends_[2] = {-1, -1};
};
