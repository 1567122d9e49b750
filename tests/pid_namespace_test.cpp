// Isolation::pid: a run in a pid namespace, of which nothing outlives the fork server and the coordinator.
#include <bulkhead/process_pool.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "leavers.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "numbers.hpp"
#include "os/child.hpp"
#include "os/pid_namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <future>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

// Says on the screen what this machine's kernel refuses. That a server did not come to serve is no such thing.
bool skip(const char* refused) {
  CHECK_THAT(refused, Catch::Contains("Isolation::pid cannot be had here") && !Catch::Contains("before it served"));
  std::cout << "skipped: " << refused << "\n";
  return false;
}

bool pid_namespace_granted() {
  try {
    do_process_work(std::vector<int>{1}, [](int n) { return n; }, {.num_workers = 1, .isolation = Isolation::pid});
    return true;
  } catch (const os::NamespaceRefused& refused) {
    return skip(refused.what());
  }
}

/// The exit code of a child that did `body`; 98: that threw. Minus the signal that ended it.
template <class Body>
int in_child(Body&& body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    try {
      ::_exit(body());
    } catch (const std::exception& e) {
      std::fprintf(stderr, "in a child: %s\n", e.what());
      ::_exit(98);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool write_to(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return written;
}

bool become_ordinary() {
  constexpr unsigned nobody = 65534;
  if (::geteuid() != 0) return true;
  return ::setgid(nobody) == 0 && ::setuid(nobody) == 0;
}

constexpr int refused_in_child = 91;

/// The same, as a user without privileges; refused_in_child: that one gets no namespace, which was said.
template <class Body>
int as_ordinary_user(Body&& body) {
  return in_child([&] {
    if (!become_ordinary() || ::prctl(PR_SET_DUMPABLE, 1) != 0) return 90;
    try {
      return body();
    } catch (const os::NamespaceRefused& refused) {
      if (refused.step() == os::NamespaceStep::start) return 92;
      std::fprintf(stderr, "skipped: %s\n", refused.what());
      return refused_in_child;
    }
  });
}

/// Those who live in it have this as their first; the process that events name guards it.
pid_t first_below(long guardian) {
  const std::string number = std::to_string(guardian);
  std::ifstream list("/proc/" + number + "/task/" + number + "/children");
  pid_t first = 0;
  list >> first;
  return first;
}

/// Exit code 0: values, a crash and what it leaves are as they should be, for whoever runs this.
int usual_run() {
  Roll roll;
  std::set<long> numbers;
  const auto results =
      do_process_work(up_to(40),
                      [&](int n) {
                        if (n == 7) leave_daemon(roll);
                        if (n == 7 || n == 8) crash_by(SIGSEGV);
                        return std::pair(static_cast<long>(::getpid()), static_cast<unsigned>(::getuid()));
                      },
                      {.num_workers = 2, .isolation = Isolation::pid, .on_event = [&](const Event& event) {
                         if (event.kind == EventKind::worker_started) numbers.insert(event.process);
                       }});
  if (!roll.everybody_is_gone(0)) return 1;
  for (std::size_t n = 0; n < results.size(); ++n) {
    const bool crashes = n == 7 || n == 8;
    if (crashes && (results[n].ending() != Ending::crashed || results[n].error().signal != SIGSEGV)) return 2;
    if (!crashes && (!results[n] || results[n].value().second != ::getuid())) return 3;
    if (!crashes && results[n].value().first == 1) return 4;
  }
  return numbers.size() >= 2 ? 0 : 5;
}

}  // namespace

TEST_CASE("values, crashes and exits are as without a namespace", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  const NothingLeftBehind check;
  CHECK(usual_run() == 0);
  const auto results =
      do_process_work(up_to(6),
                      [](int n) {
                        if (n == 1) ::_exit(7);
                        if (n == 2) throw std::runtime_error("no");
                        if (n == 3) stay();
                        if (n == 4) crash_by(SIGTERM);
                        return n;
                      },
                      {.num_workers = 2, .task_timeout = 300ms, .kill_grace = 50ms, .isolation = Isolation::pid});
  CHECK(results[0].value() == 0);
  CHECK(results[1].error().exit_code == 7);
  CHECK(results[2].ending() == Ending::exception);
  CHECK(results[3].ending() == Ending::timed_out);
  CHECK(results[4].error().signal == SIGTERM);
  CHECK(results[5].value() == 5);
}

TEST_CASE("an ordinary user gets a namespace, where the kernel grants user namespaces", "[pid_namespace]") {
  const int code = as_ordinary_user(usual_run);
  CHECK((code == 0 || code == refused_in_child));
}

TEST_CASE("a task finds itself without new powers, and a /proc that fits its number", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  const int code = as_ordinary_user([] {
    const auto results = do_process_work(std::vector<int>{1},
                                         [](int) {
                                           char self[32] = {};
                                           if (::readlink("/proc/self", self, sizeof self - 1) < 0) return 1;
                                           if (std::stol(self) != ::getpid() || ::getpid() == 1) return 2;
                                           if (::sethostname("bulkhead", 8) == 0) return 3;
                                           if (::unshare(CLONE_NEWNS) == 0) return 4;
                                           return ::kill(1, SIGKILL) == 0 ? 0 : 5;  // taken, and of no effect
                                         },
                                         {.num_workers = 1, .isolation = Isolation::pid});
    return results[0] ? results[0].value() : 99;
  });
  CHECK((code == 0 || code == refused_in_child));
}

TEST_CASE("events tell the numbers that the coordinator knows its processes by", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  const NothingLeftBehind check;
  std::set<long> told;
  std::array<int, 2> gate{};
  REQUIRE(::pipe(gate.data()) == 0);
  bool alive = true;
  const auto results =
      do_process_work(up_to(2),
                      [&](int) {
                        char byte;
                        return ::read(gate[0], &byte, 1) == 1;
                      },
                      {.num_workers = 2, .isolation = Isolation::pid, .on_event = [&](const Event& event) {
                         if (event.kind != EventKind::worker_started) return;
                         told.insert(event.process);
                         std::ifstream status("/proc/" + std::to_string(event.process) + "/status");
                         std::string line, last;
                         while (std::getline(status, line))
                           if (line.starts_with("NSpid:")) last = line;
                         alive = alive && std::count(last.begin(), last.end(), '\t') >= 2;
                         static_cast<void>(!::write(gate[1], "x", 1));
                       }});
  CHECK(told.size() == 2);
  CHECK(alive);
  for (const auto& outcome : results) CHECK(outcome.value());
  ::close(gate[0]);
  ::close(gate[1]);
}

TEST_CASE("processor time is that of the worker", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  const NothingLeftBehind check;
  const auto results =
      do_process_work(up_to(2),
                      [](int n) {
                        while (n == 1) static_cast<void>(::getppid());
                        return n;
                      },
                      {.num_workers = 1, .kill_grace = 50ms, .cpu_time = 100ms, .isolation = Isolation::pid});
  CHECK(results[0].value() == 0);
  CHECK(results[1].ending() == Ending::limit_exceeded);
}

TEST_CASE("what a task in a namespace leaves is gone with it", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  for (const auto& [name, leave] : ways_to_leave()) {
    for (const std::string end : {"returns", "crashes", "hangs"}) {
      DYNAMIC_SECTION(name << ", the task " << end) {
        const NothingLeftBehind check;
        Roll roll;
        const auto results =
            do_process_work(up_to(4),
                            [&, leave = leave](int n) {
                              if (n == 1) {
                                leave(roll);
                                if (end == "hangs") stay();
                                if (end == "crashes") crash_by(SIGSEGV);
                              }
                              return n;
                            },
                            {.num_workers = 2,
                             .task_timeout = end == "hangs" ? 500ms : 20'000ms,  // to crash takes a sanitizer its time
                             .kill_grace = 50ms,
                             .isolation = Isolation::pid});
        CHECK(roll.everybody_is_gone(0));
        if (end == "returns") CHECK(results[1].value() == 1);
        if (end == "crashes") CHECK(results[1].ending() == Ending::crashed);
        if (end == "hangs") CHECK(results[1].ending() == Ending::timed_out);
        CHECK(results[3].value() == 3);
      }
    }
  }
}

TEST_CASE("SIGKILL of coordinator, fork server or both at once leaves nothing that escaped", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  for (const auto& [name, leave] : ways_to_leave()) {
    for (const bool both : {false, true}) {
      DYNAMIC_SECTION(name << (both ? ", both" : ", the coordinator")) {
        Roll roll, numbers;
        const pid_t host = ::fork();
        REQUIRE(host >= 0);
        if (host == 0) {
          do_process_work(std::vector<int>(8, 1),
                          [&, leave = leave](int) {
                            leave(roll);
                            roll.sign();
                            stay();
                          },
                          {.num_workers = 2, .isolation = Isolation::pid, .on_event = [&](const Event& event) {
                             if (event.kind == EventKind::fork_server_started) numbers.tell(event.process);
                           }});
          ::_exit(0);
        }
        const auto server = static_cast<pid_t>(numbers.hear());
        REQUIRE(server > 1);
        roll.wait_for_a_signature();
        ::kill(host, SIGSTOP);  // so that neither sees the other's end
        if (both) ::kill(server, SIGKILL);
        ::kill(host, SIGKILL);
        ::waitpid(host, nullptr, 0);
        CHECK(roll.everybody_is_gone(5000));
      }
    }
  }
}

TEST_CASE("a stopped fork server ends with its coordinator all the same", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  Roll roll, numbers;
  const pid_t host = ::fork();
  REQUIRE(host >= 0);
  if (host == 0) {
    do_process_work(std::vector<int>(2, 1),
                    [&](int) {
                      leave_daemon(roll);
                      roll.sign();
                      stay();
                    },
                    {.num_workers = 2, .isolation = Isolation::pid, .on_event = [&](const Event& event) {
                       if (event.kind == EventKind::fork_server_started) numbers.tell(event.process);
                     }});
    ::_exit(0);
  }
  const long guardian = numbers.hear();
  roll.wait_for_a_signature();
  const pid_t first = first_below(guardian);
  REQUIRE(first > 1);
  ::kill(first, SIGSTOP);
  ::kill(host, SIGKILL);
  ::waitpid(host, nullptr, 0);
  CHECK(roll.everybody_is_gone(5000));
}

TEST_CASE("SIGKILL of the fork server ends all in the namespace, and the run goes on in another", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  for (const auto& [retries, guardian] : {std::pair(0u, true), std::pair(1u, true), std::pair(1u, false)}) {
    DYNAMIC_SECTION(retries << " retries, " << (guardian ? "the guardian" : "the first process")) {
      const NothingLeftBehind check;
      Roll roll, stands;
      pid_t server = 0;
      unsigned servers = 0, lost = 0;
      bool killed = false;
      const auto results = do_process_work(
          up_to(20),
          [&](int n) {
            if (n != 0 || this_task()->attempt != 1) return n;
            leave_daemon(roll);
            stands.sign();
            stay();
            return -1;
          },
          {.num_workers = 1,
           .per_sync_timeout = 20ms,
           .retry = {.max_retries = retries},
           .isolation = Isolation::pid,
           .on_event = [&, guardian = guardian](const Event& event) {
             if (event.kind == EventKind::fork_server_started) {
               server = static_cast<pid_t>(event.process);
               ++servers;
             }
             if (event.kind == EventKind::fork_server_lost) ++lost;
             if (event.kind == EventKind::task_started && event.task == 0 && !std::exchange(killed, true)) {
               stands.wait_for_a_signature();
               ::kill(guardian ? server : first_below(server), SIGKILL);
             }
           }});
      CHECK(roll.everybody_is_gone(0));
      CHECK(servers == 2);
      CHECK(lost == 1);
      if (retries == 0) {
        CHECK(results[0].ending() == Ending::crashed);
        CHECK(results[0].error().signal == SIGKILL);
      } else {
        CHECK(results[0].value() == 0);
      }
      for (std::size_t n = 1; n < results.size(); ++n) {
        CHECK(results[n].value() == static_cast<int>(n));
        CHECK(results[n].stats().attempts == 1);
      }
    }
  }
}

TEST_CASE("runs within runs, with namespaces within namespaces", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  const NothingLeftBehind check;
  Roll roll;
  for (const Isolation inner : {Isolation::contained, Isolation::pid}) {
    const auto results =
        do_process_work(up_to(4),
                        [&](int n) {
                          const Roll own;  // signatures on the common one could be taken by another task
                          const auto below = do_process_work(up_to(4),
                                                             [&](int m) {
                                                               if (m == 1) leave_daemon(own);
                                                               if (m == 2) crash_by(SIGSEGV);
                                                               return n * m;
                                                             },
                                                             {.num_workers = 2, .isolation = inner});
                          return below[3].value() + (below[2].ending() == Ending::crashed ? 100 : 0) + below[1].value();
                        },
                        {.num_workers = 2, .isolation = Isolation::pid});
    for (int n = 0; n < 4; ++n) CHECK(results[static_cast<std::size_t>(n)].value() == 100 + 4 * n);
  }
  CHECK(roll.everybody_is_gone(0));
}

TEST_CASE("processes with the same number in two namespaces are not taken for one", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  const NothingLeftBehind check;
  const auto results = do_process_work(
      std::vector<int>{1},
      [](int) {
        const auto mine = os::process_identity();
        const int number = os::process_id();
        const auto below = do_process_work(
            up_to(2),
            [&](int) {
              while (os::process_id() < number)
                if (const pid_t other = ::fork(); other == 0) {
                  if (os::process_id() == number) ::_exit(os::process_identity() == mine ? 1 : 0);
                  ::_exit(2);
                } else if (int status = 0; ::waitpid(other, &status, 0) == other && WEXITSTATUS(status) != 2) {
                  return status == 0;
                }
              return os::process_id() > number || os::process_identity() != mine;
            },
            {.num_workers = 1, .isolation = Isolation::pid});
        return below[0].value() && below[1].value();
      },
      {.num_workers = 1, .isolation = Isolation::pid});
  CHECK(results[0].value());
}

TEST_CASE("a pool in a namespace", "[pid_namespace]") {
  if (!pid_namespace_granted()) return;
  const NothingLeftBehind check;
  Roll roll;
  std::future<Outcome<int>> last;
  {
    ProcessPool<int(int)> pool(
        [&](int n) {
          if (n == 1) crash_by(SIGSEGV);
          if (n != 9) return n;
          leave_daemon(roll);
          roll.sign();
          stay();
          return n;
        },
        {.num_workers = 2, .kill_grace = 50ms, .isolation = Isolation::pid});
    CHECK(pool.submit(0).get().value() == 0);
    CHECK(pool.submit(1).get().ending() == Ending::crashed);
    CHECK(pool.submit(2).get().value() == 2);
    last = pool.submit(9);
    roll.wait_for_a_signature();
  }
  CHECK(last.get().ending() == Ending::cancelled);
  CHECK(roll.everybody_is_gone(0));
}

TEST_CASE("where the kernel refuses a namespace the work is refused, with the remedy", "[pid_namespace]") {
  const auto words_of_refusal = [](auto prepare) {
    Roll words;
    in_child([&] {
      std::string said;
      if (!prepare()) said = "skipped";
      try {
        if (said.empty()) do_process_work(std::vector<int>{1}, [](int n) { return n; }, {.isolation = Isolation::pid});
      } catch (const os::NamespaceRefused& refused) {
        said = refused.what();
      }
      return ::write(words.write_end(), said.data(), said.size()) > 0 ? 0 : 1;
    });
    return words.read_all();
  };
  const auto in_user_namespace = [] {
    const std::string user = std::to_string(::geteuid()) + " " + std::to_string(::geteuid()) + " 1";
    return ::unshare(CLONE_NEWUSER) == 0 && write_to("/proc/self/uid_map", user);
  };

  SECTION("the number of namespaces is bounded") {
    const std::string words =
        words_of_refusal([&] { return in_user_namespace() && write_to("/proc/sys/user/max_pid_namespaces", "0"); });
    if (words == "skipped") {
      std::cout << "skipped: no user namespace in which the sysctl may be set\n";
      return;
    }
    CHECK_THAT(words, Catch::Contains("Isolation::pid") && Catch::Contains("user.max_pid_namespaces"));
  }
  SECTION("a process that changed its user cannot name it") {
    if (::geteuid() != 0) {
      std::cout << "skipped: only root can change its user\n";
      return;
    }
    const std::string words = words_of_refusal([] { return become_ordinary(); });
    CHECK_THAT(words, Catch::Contains("PR_SET_DUMPABLE") || Catch::Contains("unprivileged_userns_clone"));
  }
  SECTION("/proc shows another namespace") {
    const std::string words = words_of_refusal([&] {
      if (::geteuid() != 0 && !in_user_namespace()) return false;
      return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
             ::mount("none", "/proc", "tmpfs", 0, nullptr) == 0;
    });
    if (words == "skipped") {
      std::cout << "skipped: no mount namespace in which /proc may be covered\n";
      return;
    }
    CHECK_THAT(words, Catch::Contains("/proc is missing"));
  }
  SECTION("only strict guards files") {
    CHECK_THROWS_AS(do_process_work(std::vector<int>{1}, [](int n) { return n; },
                                    {.isolation = Isolation::pid, .writable_paths = {"/tmp"}}),
                    std::invalid_argument);
  }
}
