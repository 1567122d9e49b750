// The first worker without a fork server: the same promises, kept by the coordinator and by the worker itself.
#include "can_isolate.hpp"
#include "hosts.hpp"
#include "leavers.hpp"
#include "outside.hpp"

#include <bulkhead/command.hpp>

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <new>
#include <stdexcept>
#include <utility>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

WorkOptions directly(std::size_t num_workers, std::atomic<int>& servers) {
  return {.num_workers = num_workers, .first_worker_directly = true, .on_event = [&](const Event& event) {
            if (event.kind == EventKind::fork_server_started) ++servers;
          }};
}

// What the processes of a host tell each other.
struct Board {
  std::atomic<int> came{0}, lost{0}, died{0}, server{0};

  static Board& make() {
    void* const page = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw std::runtime_error("mmap");
    return *::new (page) Board;
  }
  static void wait_until(const std::atomic<int>& what, int at_least) {
    while (what < at_least) ::usleep(100);
  }
};

}  // namespace

TEST_CASE("one worker needs no fork server, and the second brings one", "[direct-worker]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    std::atomic<int> servers = 0;
    const auto alone = do_process_work(
        up_to(100), [](int) { return ::getppid(); }, directly(1, servers));
    complaints.expect(servers == 0, "a fork server for one worker");
    for (const auto& parent : alone) complaints.expect(parent.value() == ::getpid(), "not our child");
    Board& board = Board::make();
    const auto two = do_process_work(
        up_to(2),
        [&](int) {
          ++board.came;
          Board::wait_until(board.came, 2);
          return ::getppid();
        },
        directly(2, servers));
    complaints.expect(servers == 1, "not one fork server for two workers");
    complaints.expect(two[0].value() == ::getpid() && two[1].value() != ::getpid(), "the wrong one is our child");
  });
  check_no_complaints(host);
}

TEST_CASE("a direct worker that dies costs one task, and what it leaves is ended with it", "[direct-worker]") {
  for (const auto& [name, leave] : ways_to_leave()) {
    DYNAMIC_SECTION(name) {
      const NothingLeftBehind check;
      Host host([&name = name, leave = leave](const Complaints& complaints) {
        Roll roll;
        std::atomic<int> servers = 0;
        std::size_t left = 0;
        WorkOptions options = directly(1, servers);
        options.on_event = [&, count = options.on_event](const Event& event) {
          count(event);
          if (event.kind == EventKind::processes_left) left += event.count;
        };
        const auto results = do_process_work(
            up_to(4),
            [&](int n) {
              if (n == 1) leave(roll), crash_by(SIGKILL);
              return n;
            },
            options);
        for (int n = 0; n < 4; ++n) {
          const Outcome<int>& outcome = results[static_cast<std::size_t>(n)];
          complaints.expect(n == 1 ? outcome.ending() == Ending::crashed : outcome.value() == n, std::to_string(n));
        }
        complaints.expect(results[1].error().signal == SIGKILL, "another signal");
        complaints.expect(left > 0 || name == "a fork bomb", "nobody was said to be left");
        complaints.expect(servers == 1, "its successor is not from a fork server");
        complaints.expect(roll.everybody_is_gone(0), "somebody is left");
      });
      check_no_complaints(host);
    }
  }
}

TEST_CASE("a run that is given up ends its direct worker with all below", "[direct-worker]") {
  for (const auto& [name, leave] : ways_to_leave()) {
    DYNAMIC_SECTION(name) {
      const NothingLeftBehind check;
      Host host([leave = leave](const Complaints& complaints) {
        Roll roll;
        std::atomic<int> servers = 0;
        try {
          for (auto&& result : process_stream(
                   up_to(2), [&](int n) { return n == 0 ? n : (leave(roll), roll.sign(), stay(), n); },
                   directly(1, servers))) {
            complaints.expect(result.outcome.value() == 0, "not the first");
            roll.wait_for_a_signature();
            throw std::runtime_error("enough");
          }
        } catch (const std::runtime_error&) {
        }
        complaints.expect(roll.everybody_is_gone(2000), "somebody is left");
      });
      check_no_complaints(host);
    }
  }
}

TEST_CASE("a host that ignores SIGCHLD learns how its direct worker ended, and ignores it afterwards",
          "[direct-worker]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    std::signal(SIGCHLD, SIG_IGN);
    std::atomic<int> servers = 0;
    const auto results = do_process_work(
        up_to(1), [](int n) { return crash_by(SIGSEGV), n; }, directly(1, servers));
    complaints.expect(results[0].ending() == Ending::crashed && results[0].error().signal == SIGSEGV,
                      results[0].error().describe());
    complaints.expect(std::signal(SIGCHLD, SIG_DFL) == SIG_IGN, "not ignored afterwards");
  });
  check_no_complaints(host);
}

TEST_CASE("in a worker, and in a pid namespace, the first worker has a fork server all the same", "[direct-worker]") {
  const bool has_namespaces = can_isolate(Isolation::pid);
  const NothingLeftBehind check;
  Host host([=](const Complaints& complaints) {
    const auto servers_below = [](int) {
      std::atomic<int> servers = 0;
      const auto inner = do_process_work(
          up_to(3), [](int n) { return n; }, directly(1, servers));
      return servers + (inner[2].value() == 2 ? 0 : 100);
    };
    complaints.expect(do_process_work(up_to(1), servers_below, {.num_workers = 1})[0].value() == 1, "in a worker");
    if (!has_namespaces) return;
    std::atomic<int> servers = 0;
    WorkOptions options = directly(1, servers);
    options.isolation = Isolation::pid;
    do_process_work(
        up_to(1), [](int n) { return n; }, options);
    complaints.expect(servers == 1, "in a namespace");
  });
  check_no_complaints(host);
}

TEST_CASE("a direct worker that is too late is ended with all below", "[direct-worker]") {
  for (const auto& [name, leave] : ways_to_leave()) {
    DYNAMIC_SECTION(name) {
      const NothingLeftBehind check;
      Host host([leave = leave](const Complaints& complaints) {
        Roll roll;
        std::atomic<int> servers = 0;
        WorkOptions options = directly(1, servers);
        options.task_timeout = 300ms;
        options.kill_grace = 50ms;
        const auto results = do_process_work(
            up_to(2), [&](int n) { return n == 0 ? (leave(roll), stay(), n) : n; }, options);
        complaints.expect(results[0].ending() == Ending::timed_out && results[1].value() == 1, "other endings");
        complaints.expect(roll.everybody_is_gone(0), "somebody is left");
      });
      check_no_complaints(host);
    }
  }
}

// Whoever has adopted the second worker by then must not take it for something that the first one left.
TEST_CASE("a worker whose fork server was lost outlives the direct one, and is reaped", "[direct-worker]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    Board& board = Board::make();
    const pid_t ours = ::getpid();
    std::size_t left = 0;
    const WorkOptions options{
        .num_workers = 2, .per_sync_timeout = 20ms, .first_worker_directly = true, .on_event = [&](const Event& event) {
          if (event.kind == EventKind::fork_server_lost) ++board.lost;
          if (event.kind == EventKind::worker_died) ++board.died;
          if (event.kind == EventKind::processes_left) left += event.count;
        }};
    const auto results = do_process_work(
        up_to(2),
        [&](int n) {
          const bool direct = ::getppid() == ours;
          const pid_t server = ::getppid();
          ++board.came;
          Board::wait_until(board.came, 2);
          if (!direct) ::kill(server, SIGKILL);
          Board::wait_until(board.lost, 1);
          if (direct) crash_by(SIGKILL);
          Board::wait_until(board.died, 1);
          return n;
        },
        options);
    complaints.expect(results[0].ending() == Ending::crashed, "the direct one: " + std::to_string(left));
    complaints.expect(results[1].has_value() && results[1].value() == 1, "the other did not outlive it");
    complaints.expect(left == 0, "it was taken for left over");
    siginfo_t info{};
    complaints.expect(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == -1, "children are left");
  });
  check_no_complaints(host);
}

TEST_CASE("a fork server that leaves in order before the direct worker does is not lost", "[direct-worker]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    Board& board = Board::make();
    const pid_t ours = ::getpid();
    const WorkOptions options{
        .num_workers = 2,
        .kill_grace = 30s,
        .first_worker_directly = true,
        .worker_exit =
            [&] {
              if (::getppid() != ours) return;
              pollfd server{static_cast<int>(::syscall(SYS_pidfd_open, board.server.load(), 0)), POLLIN, 0};
              complaints.expect(::poll(&server, 1, 20'000) == 1, "the server did not leave");
            },
        .on_event =
            [&](const Event& event) {
              if (event.kind == EventKind::fork_server_started) board.server = static_cast<int>(event.process);
              if (event.kind == EventKind::fork_server_lost) ++board.lost;
            }};
    do_process_work(
        up_to(2),
        [&](int n) {
          ++board.came;
          Board::wait_until(board.came, 2);
          return n;
        },
        options);
    complaints.expect(board.lost == 0, "said to be lost");
  });
  check_no_complaints(host);
}

TEST_CASE("a listener that throws when the direct worker starts ends the run, and leaves nothing", "[direct-worker]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    const WorkOptions options{.num_workers = 2, .first_worker_directly = true, .on_event = [](const Event& event) {
                                if (event.kind == EventKind::worker_started)
                                  throw std::system_error(EIO, std::generic_category(), "listener");
                              }};
    try {
      do_process_work(
          up_to(4), [](int n) { return n; }, options);
      complaints.say("nothing was thrown");
    } catch (const std::system_error& error) {
      complaints.expect(error.code().value() == EIO, error.what());
    }
    siginfo_t info{};
    complaints.expect(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == -1, "children are left");
  });
  check_no_complaints(host);
}

TEST_CASE("children that the program had before it began are nobody's to end", "[direct-worker]") {
  const outside::Place place;
  const auto result = place.run(
      "(sleep 1000 & echo $! > \"$1/child\"; exec \"$0\" run -q -c 'kill -9 $PPID' ::: 1); "
      "kill $(cat \"$1/child\") && echo lived");
  CHECK(result.output == "lived\n");
}
