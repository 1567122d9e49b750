// Ways in which a task leaves processes behind, and a way to know when the last of them is gone.
#pragma once

#include "catch.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

/// Every process that holds the write end lives; end of file means that none does.
class Roll {
 public:
  Roll() { REQUIRE(::pipe(ends_.data()) == 0); }
  ~Roll() {
    ::close(ends_[0]);
    if (ends_[1] >= 0) ::close(ends_[1]);
  }
  Roll(const Roll&) = delete;
  Roll& operator=(const Roll&) = delete;

  /// In the process that asks: no more of our own.
  bool everybody_is_gone(int within_ms) {
    ::close(ends_[1]);
    ends_[1] = -1;
    pollfd waited{ends_[0], POLLIN, 0};
    while (::poll(&waited, 1, within_ms) == 1) {
      char byte;
      if (::read(ends_[0], &byte, 1) == 0) return true;
    }
    return false;
  }
  void sign() const { static_cast<void>(!::write(ends_[1], "x", 1)); }
  void wait_for_a_signature() const {
    char byte;
    static_cast<void>(!::read(ends_[0], &byte, 1));
  }
  int write_end() const { return ends_[1]; }
  void tell(long number) const { static_cast<void>(!::write(ends_[1], &number, sizeof number)); }
  long hear() const {
    long number = 0;
    return ::read(ends_[0], &number, sizeof number) == sizeof number ? number : 0;
  }
  /// In the process that asks: no more of our own.
  std::string read_all() {
    ::close(std::exchange(ends_[1], -1));
    std::string text(4096, '\0');
    const ssize_t length = ::read(ends_[0], text.data(), text.size());
    text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return text;
  }

 private:
  std::array<int, 2> ends_{};
};

[[noreturn]] inline void stay() {
  for (;;) ::pause();
}

// How a task leaves something: each returns when what it leaves stands.
inline void leave_child(const Roll& roll) {
  if (::fork() == 0) {
    roll.sign();
    stay();
  }
  roll.wait_for_a_signature();
}
inline void leave_deaf_child(const Roll& roll) {
  if (::fork() == 0) {
    ::signal(SIGTERM, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    roll.sign();
    stay();
  }
  roll.wait_for_a_signature();
}
inline void leave_session(const Roll& roll) {
  if (::fork() == 0) {
    ::setsid();
    roll.sign();
    stay();
  }
  roll.wait_for_a_signature();
}
inline void leave_daemon(const Roll& roll) {
  if (::fork() == 0) {
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    roll.sign();
    stay();
  }
  roll.wait_for_a_signature();
  ::wait(nullptr);
}
inline void leave_program(const Roll& roll) {
  const std::string command = "(exec sleep 1000) & echo x >&" + std::to_string(roll.write_end());
  static_cast<void>(!std::system(("setsid sh -c '" + command + "'").c_str()));
  roll.wait_for_a_signature();
}
// Each generation forks the next two and dies: bounded by what a test may do to a machine, not by anything of ours.
inline void leave_bomb(const Roll& roll) {
  if (::fork() == 0) {
    ::setsid();
    for (int generation = 0; generation < 2000; ++generation) {
      if (generation == 1) roll.sign();
      const pid_t next = ::fork();
      if (next < 0) ::_exit(0);
      if (next != 0) {
        if (generation % 8 == 0) ::fork();
        ::_exit(0);
      }
    }
    stay();
  }
  roll.wait_for_a_signature();
}

using LeavingWay = void (*)(const Roll&);
inline const std::map<std::string, LeavingWay>& ways_to_leave() {
  static const std::map<std::string, LeavingWay> ways{
      {"a child", leave_child},     {"a child deaf to signals", leave_deaf_child},
      {"a session", leave_session}, {"a daemon", leave_daemon},
      {"a program", leave_program}, {"a fork bomb", leave_bomb}};
  return ways;
}
