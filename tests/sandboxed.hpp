// Doing something in a process of its own, and hearing from it what came of it.
#pragma once

#include "catch.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <map>
#include <string>

/// Numbers under names, told by a child: one short write each, so that they never mix.
class Report {
 public:
  Report() { REQUIRE(::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) == 0); }
  ~Report() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  void operator()(const std::string& name, int number) const {
    Line line{number, {}};
    name.copy(line.name, sizeof line.name - 1);
    if (::write(ends_[1], &line, sizeof line) != sizeof line) ::_exit(99);
  }
  std::map<std::string, int> all() const {
    std::map<std::string, int> found;
    for (Line line; ::read(ends_[0], &line, sizeof line) == sizeof line;) found[line.name] = line.number;
    return found;
  }

 private:
  struct Line {
    int number;
    char name[120];
  };
  int ends_[2];
};

/// Forks. The child does `body` and leaves with 0, or with 98 if that throws; it never outlives its parent.
template <class Body>
pid_t start_child(Body&& body) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(97);
  for (const int crash : {SIGSEGV, SIGABRT}) std::signal(crash, SIG_DFL);  // not a test framework's business here
  try {
    body();
  } catch (...) {
    ::_exit(98);
  }
  ::_exit(0);
}

/// How a child ended: its exit code, or minus the signal. One that was stopped is ended, and told as -SIGSTOP.
inline int end_of(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, WUNTRACED) != child) return -1000;
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  if (WIFSIGNALED(status)) return -WTERMSIG(status);
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return -SIGSTOP;
}
