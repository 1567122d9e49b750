// A forked host: what a process goes through that has its own limits, streams and signals, told to the test in words.
#pragma once

#include <bulkhead/process_pool.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "numbers.hpp"

#include <sys/types.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

/// Where a host tells what is not as it should be. No descriptor of it is a standard stream.
class Complaints {
 public:
  explicit Complaints(int fd) : fd_(fd) {}
  void say(const std::string& words) const {
    const std::string line = words + "\n";
    static_cast<void>(!::write(fd_, line.data(), line.size()));
  }
  /// True if there was nothing to complain of.
  bool expect(bool as_it_should_be, const std::string& words) const {
    if (!as_it_should_be) say(words);
    return as_it_should_be;
  }
  int descriptor() const { return fd_; }

 private:
  int fd_;
};

/// How a host ended.
struct HostEnd {
  bool in_time = false;  // it, and every process it had
  int status = -1;       // its exit code; a signal: minus its number
  std::string words;     // of its complaints
};

/// A child of the test. It and all it started have the writing end of a pipe: with its end of file they are gone.
class Host {
 public:
  /// `life` is called with a Complaints in the child, and what it throws is a complaint. The child never comes back.
  template <class Life>
  explicit Host(Life life) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    std::fflush(stdout);
    std::cout.flush();
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const int fd = ::fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
      ::close(ends[0]);
      ::close(ends[1]);
      live(life, Complaints(fd));
    }
    ::close(ends[1]);
    words_ = ends[0];
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() {
    if (pid_ > 1) static_cast<void>(end(std::chrono::seconds(0)));
    ::close(words_);
  }

  pid_t pid() const { return pid_; }
  /// A child of ours that was not reaped: its number is its own.
  void signal(int which) const {
    if (pid_ > 1) ::kill(pid_, which);
  }
  /// Stopped, and the kernel has said so.
  void stop() const {
    signal(SIGSTOP);
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, WUNTRACED) == pid_);
    REQUIRE(WIFSTOPPED(status));
  }
  /// Waits for it and all it started; what is not gone by then is an ended host.
  HostEnd end(std::chrono::milliseconds limit = std::chrono::seconds(60)) {
    HostEnd end;
    const auto until = std::chrono::steady_clock::now() + limit;
    for (char block[4096];;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() < 0 || !readable_within(words_, left)) break;
      const ssize_t n = ::read(words_, block, sizeof block);
      end.in_time = n == 0;
      if (n <= 0) break;
      end.words.append(block, static_cast<std::size_t>(n));
    }
    if (!end.in_time) signal(SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    end.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return end;
  }

 private:
  template <class Life>
  [[noreturn]] static void live(Life& life, const Complaints& complaints) noexcept {
    try {
      life(complaints);
    } catch (const std::exception& e) {
      complaints.say(std::string("thrown: ") + e.what());
    } catch (...) {
      complaints.say("something was thrown");
    }
    ::_exit(0);
  }

  pid_t pid_ = -1;
  int words_ = -1;
};

inline void check_no_complaints(Host& host, std::chrono::milliseconds limit = std::chrono::seconds(60)) {
  const HostEnd end = host.end(limit);
  CHECK(end.in_time);
  CHECK(end.status == 0);
  CHECK(end.words.empty());
  if (!end.words.empty()) std::printf("%s", end.words.c_str());
}

/// The two ways in which processes do work, under one name.
struct AsBatch {
  static constexpr const char* name = "do_process_work";
  template <class R, class F>
  static std::vector<bulkhead::Outcome<R>> map(const std::vector<int>& items, F func,
                                               const bulkhead::WorkOptions& options) {
    return bulkhead::do_process_work(items, func, options);
  }
};
struct AsPool {
  static constexpr const char* name = "ProcessPool";
  template <class R, class F>
  static std::vector<bulkhead::Outcome<R>> map(const std::vector<int>& items, F func,
                                               const bulkhead::WorkOptions& options) {
    bulkhead::ProcessPool<R(int)> pool(func, options);
    return pool.map(items);
  }
};

/// Some values, a crash, an exit, an exception, a time-out: each where it belongs, whatever the host's state is.
/// `in_task` is called in each task, and false there is a complaint.
template <class Way, class InTask>
void expect_as_if_nothing_was(const Complaints& complaints, InTask in_task, bulkhead::WorkOptions options = {}) {
  using bulkhead::Ending;
  using namespace std::chrono_literals;
  const auto descriptors = names_in("/proc/self/fd");
  if (options.num_workers == 0) options.num_workers = 2;
  options.task_timeout = 500ms;
  options.kill_grace = 100ms;
  const auto work = [&](int n) {
    if (n == 3) misbehave(::Way::bad_store);  // the kernel ends it, also where SIGSEGV is ignored
    if (n == 7) ::_exit(7);
    if (n == 11) throw std::runtime_error("planned");
    if (n == 15) misbehave(::Way::hangs);
    return in_task() ? n * n : -1;
  };
  const auto outcomes = Way::template map<int>(up_to(40), work, options);
  complaints.expect(outcomes.size() == 40, "not all outcomes");
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto& outcome = outcomes[i];
    const int n = static_cast<int>(i);
    const Ending expected = n == 3    ? Ending::crashed
                            : n == 7  ? Ending::exited
                            : n == 11 ? Ending::exception
                            : n == 15 ? Ending::timed_out
                                      : Ending::value;
    const std::string who = std::string(Way::name) + ", task " + std::to_string(n) + ": ";
    complaints.expect(outcome.ending() == expected, who + (outcome ? "a value" : outcome.error().describe()));
    complaints.expect(!outcome || *outcome == n * n, who + "a wrong value");
    complaints.expect(outcome.stats().attempts == 1, who + "attempts are not one");
  }
  complaints.expect(names_in("/proc/self/fd") == descriptors, std::string(Way::name) + ": descriptors were left");
  siginfo_t info{};
  const bool childless = ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == -1 && errno == ECHILD;
  complaints.expect(childless, std::string(Way::name) + ": a child was left");
}

inline bool always() { return true; }

inline void expect_as_if_nothing_was(const Complaints& complaints) {
  expect_as_if_nothing_was<AsBatch>(complaints, always);
  expect_as_if_nothing_was<AsPool>(complaints, always);
}
