// Whole trees end: whatever a task starts is gone when the task is, however it tried to stay, and leaks are reported.
#include <bulkhead/process_pool.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "leavers.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

TEST_CASE("what a task leaves is gone before its outcome is there, and the outcome says so", "[trees]") {
  for (const auto& [name, leave] : ways_to_leave()) {
    DYNAMIC_SECTION(name) {
      const NothingLeftBehind check;
      Roll roll;
      std::size_t announced = 0;
      const auto results = do_process_work(std::vector<int>{0, 1, 2, 3},
                                           [&, leave = leave](int n) {
                                             if (n == 1) leave(roll);
                                             return n;
                                           },
                                           {.num_workers = 1, .on_event = [&](const Event& event) {
                                              if (event.kind == EventKind::processes_left) announced += event.count;
                                            }});
      CHECK(roll.everybody_is_gone(0));
      for (std::size_t n = 0; n < 4; ++n) CHECK(results[n].value() == static_cast<int>(n));
      CHECK((results[1].stats().processes_left > 0 || name == "a fork bomb"));
      CHECK(results[0].stats().processes_left == 0);
      CHECK(results[2].stats().processes_left == 0);
      CHECK(announced >= results[1].stats().processes_left);
    }
  }
}

TEST_CASE("a task that crashes or hangs takes its whole tree along", "[trees]") {
  for (const auto& [name, leave] : ways_to_leave()) {
    for (const bool hangs : {false, true}) {
      DYNAMIC_SECTION(name << (hangs ? ", hanging" : ", crashing")) {
        const NothingLeftBehind check;
        Roll roll;
        const auto results =
            do_process_work(std::vector<int>{0, 1, 2, 3},
                            [&, leave = leave](int n) {
                              if (n == 1) {
                                leave(roll);
                                if (hangs) stay();
                                crash_by(SIGSEGV);
                              }
                              return n;
                            },
                            {.num_workers = 2,
                             .task_timeout = hangs ? 500ms : 20'000ms,  // to crash takes a sanitizer its time
                             .kill_grace = 50ms});
        CHECK(roll.everybody_is_gone(0));
        CHECK(results[1].ending() == (hangs ? Ending::timed_out : Ending::crashed));
        CHECK(results[3].value() == 3);
      }
    }
  }
}

TEST_CASE("a helper that worker_init started serves all tasks, and ends with its worker", "[trees]") {
  const NothingLeftBehind check;
  Roll roll;
  static pid_t helper = 0;
  const auto results = do_process_work(std::vector<int>(50, 1), [](int) { return ::kill(helper, 0) == 0; },
                                       {.num_workers = 2, .worker_init = [&] {
                                          helper = ::fork();
                                          if (helper == 0) stay();
                                        }});
  for (const auto& outcome : results) {
    CHECK(outcome.value());
    CHECK(outcome.stats().processes_left == 0);
  }
  CHECK(roll.everybody_is_gone(0));
}

TEST_CASE("SIGKILL of the coordinator leaves nothing, whatever its tasks had started", "[trees]") {
  for (const auto& [name, leave] : ways_to_leave()) {
    DYNAMIC_SECTION(name) {
      Roll roll;
      const pid_t host = ::fork();
      REQUIRE(host >= 0);
      if (host == 0) {
        do_process_work(std::vector<int>(8, 1),
                        [&, leave = leave](int) {
                          leave(roll);
                          roll.sign();
                          stay();
                        },
                        {.num_workers = 2});
        ::_exit(0);
      }
      roll.wait_for_a_signature();
      ::kill(host, SIGKILL);
      ::waitpid(host, nullptr, 0);
      CHECK(roll.everybody_is_gone(2000));
    }
  }
}

TEST_CASE("SIGKILL of coordinator and fork server together leaves no worker", "[trees]") {
  Roll roll;
  const pid_t host = ::fork();
  REQUIRE(host >= 0);
  if (host == 0) {
    pid_t server = 0;
    do_process_work(std::vector<int>(8, 1),
                    [&](int) {
                      roll.sign();
                      stay();
                    },
                    {.num_workers = 2, .per_sync_timeout = 50ms, .on_event = [&](const Event& event) {
                       if (event.kind == EventKind::fork_server_started) server = static_cast<pid_t>(event.process);
                       if (event.kind != EventKind::task_started || server <= 1) return;
                       ::kill(server, SIGKILL);
                       ::raise(SIGKILL);
                     }});
    ::_exit(0);
  }
  roll.wait_for_a_signature();
  ::waitpid(host, nullptr, 0);
  CHECK(roll.everybody_is_gone(2000));
}

TEST_CASE("a pool that is dropped while its tasks hold trees leaves nothing", "[trees]") {
  const NothingLeftBehind check;
  Roll roll;
  std::future<Outcome<int>> future;
  {
    ProcessPool<int(int)> pool(
        [&](int n) {
          leave_daemon(roll);
          roll.sign();
          stay();
          return n;
        },
        {.num_workers = 1, .kill_grace = 50ms});
    future = pool.submit(1);
    roll.wait_for_a_signature();
  }
  CHECK(future.get().ending() == Ending::cancelled);
  CHECK(roll.everybody_is_gone(0));
}

TEST_CASE("children of a worker whose fork server was killed end with their task", "[trees]") {
  for (const int end : {0, 1, 2}) {
    const NothingLeftBehind check;
    Roll roll;
    std::atomic<long> server = 0;
    {
      ProcessPool<int(int)> pool(
          [&](int way) {
            leave_child(roll);
            roll.sign();
            if (way == 0) crash_by(SIGSEGV);
            if (way == 1) ::_exit(3);
            stay();
            return 0;
          },
          {.num_workers = 1, .task_timeout = 1s, .kill_grace = 50ms, .on_event = [&](const Event& event) {
             if (event.kind == EventKind::fork_server_started) server = event.process;
           }});
      auto future = pool.submit(end);
      roll.wait_for_a_signature();
      ::kill(static_cast<pid_t>(server.load()), SIGKILL);
      CHECK_FALSE(future.get().has_value());
    }
    CHECK(roll.everybody_is_gone(2000));
  }
}

TEST_CASE("a child of the host's own does not delay the end of a pool", "[trees]") {
  Roll roll;
  pid_t child = 0;
  const auto before = std::chrono::steady_clock::now();
  {
    ProcessPool<int(int)> pool([](int n) { return n; }, {.num_workers = 1});
    CHECK(pool.submit(1).get().value() == 1);
    child = ::fork();
    if (child == 0) stay();
  }
  CHECK(std::chrono::steady_clock::now() - before < 8s);  // a watchdog, no measure: the fallback takes ten
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("pools made and dropped in many threads at once freeze nobody's fork server", "[trees]") {
  const NothingLeftBehind check;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 40; ++i) {
        ProcessPool<int(int)> pool(
            [](int n) {
              if (n == 1) ::_exit(3);
              if (::fork() == 0) stay();
              return n;
            },
            {.num_workers = 1});
        right += pool.submit(0).get().has_value();
        const auto left = pool.submit(1).get();
        right += left.ending() == Ending::exited && left.error().exit_code == 3;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(right == 8 * 40 * 2);
}
