// Processes that somebody stops: a worker, the fork server, the coordinator itself, and lets it go on.
#include "hosts.hpp"
#include "let_pass.hpp"

#include <atomic>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

// One task waits in its worker, and all behind it in that worker's lane, until the coordinator is stopped; another one
// hangs in the other worker.
constexpr int hanging_task = 1, in_time = 20;

void work_while_stopped(const Complaints& complaints, const Gate& running, const Gate& go, const Gate& done) {
  WorkOptions options{.num_workers = 2, .task_timeout = 1s, .kill_grace = 100ms};
  std::atomic<int> timed_out = 0;
  options.on_event = [&](const Event& event) {
    timed_out += event.kind == EventKind::task_finished && event.ending == Ending::timed_out;
  };
  options.prefetch = 100;
  const auto work = [&](int n) {
    if (n == hanging_task || n == 0) running.open();
    if (n == hanging_task) misbehave(Way::hangs);
    if (n == 0) go.pass();
    if (n < in_time) done.open();
    return n;
  };
  const auto results = do_process_work(up_to(in_time + 20), work, options);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Ending expected = i == hanging_task ? Ending::timed_out : Ending::value;
    complaints.expect(results[i].ending() == expected,
                      "task " + std::to_string(i) + ": " + (results[i] ? "a value" : results[i].error().describe()));
  }
  complaints.expect(timed_out == 1, std::to_string(timed_out) + " timed out");
}

}  // namespace

TEST_CASE("a coordinator that was stopped judges by what was done meanwhile, not by the time that passed", "[stops]") {
  const NothingLeftBehind check;
  Gate running, go, done;
  Host host([&](const Complaints& complaints) { work_while_stopped(complaints, running, go, done); });
  running.pass();
  running.pass();
  host.stop();
  go.open();
  done.pass();
  let_pass(1500ms);
  host.signal(SIGCONT);
  check_no_complaints(host);
}

TEST_CASE("a coordinator that is stopped and continued again and again loses nothing", "[stops]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    const auto results = do_process_work(up_to(3000),
                                         [](int n) {
                                           if (n % 100 == 3) misbehave(Way::killed);
                                           volatile unsigned idle = 0;
                                           for (unsigned i = 0; i < 100'000; ++i) idle = idle + 1;
                                           return n;
                                         },
                                         {.num_workers = 2});
    for (std::size_t i = 0; i < results.size(); ++i)
      complaints.expect(results[i].has_value() == (i % 100 != 3), "task " + std::to_string(i));
  });
  for (int round = 0; round < 50; ++round) {
    siginfo_t info{};  // it may have come to its end
    if (::waitid(P_PID, static_cast<id_t>(host.pid()), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
      break;
    host.signal(SIGSTOP);
    let_pass(5ms);
    host.signal(SIGCONT);
    let_pass(5ms);
  }
  host.signal(SIGCONT);
  check_no_complaints(host);
}

namespace {

// The fork server is a child of ours that is not reaped before its loss is told: its number is its own until then.
struct ServerWatch {
  std::atomic<long> server{0};
  std::atomic<int> started{0}, lost{0};
  void follow(const Event& event) {
    if (event.kind == EventKind::fork_server_started) server = event.process, ++started;
    if (event.kind == EventKind::fork_server_lost) server = 0, ++lost;
  }
  void signal(int which) const {
    if (server > 1) ::kill(static_cast<pid_t>(server), which);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a fork server that is stopped before it forks is replaced", "[stops]", AsBatch, AsPool) {
  const NothingLeftBehind check;
  ServerWatch watch;
  WorkOptions options{.num_workers = 2};
  options.on_event = [&](const Event& event) {
    watch.follow(event);
    if (event.kind == EventKind::fork_server_started && watch.started == 1) watch.signal(SIGSTOP);
  };
  const auto begun = std::chrono::steady_clock::now();
  const auto results = TestType::template map<int>(
      up_to(40), [](int n) { return n; }, options);
  CHECK(std::chrono::steady_clock::now() - begun < 30s);
  for (int n = 0; n < 40; ++n) CHECK(results[static_cast<std::size_t>(n)].value() == n);
  CHECK(watch.started == 2);
  CHECK(watch.lost == 1);
}

TEMPLATE_TEST_CASE("a fork server that is stopped before it can report a death is replaced", "[stops]", AsBatch,
                   AsPool) {
  const NothingLeftBehind check;
  ServerWatch watch;
  Gate stopped;
  WorkOptions options{.num_workers = 2};
  bool first = true;
  options.on_event = [&](const Event& event) {
    watch.follow(event);
    if (event.kind != EventKind::task_started || !std::exchange(first, false)) return;
    watch.signal(SIGSTOP);
    stopped.open();
  };
  const auto begun = std::chrono::steady_clock::now();
  const auto results = TestType::template map<int>(
      up_to(40),
      [&](int n) {
        if (n == 0) {
          stopped.pass();
          misbehave(Way::bad_store);
        }
        return n;
      },
      options);
  CHECK(std::chrono::steady_clock::now() - begun < 30s);
  CHECK(results[0].ending() == Ending::crashed);
  for (int n = 1; n < 40; ++n) CHECK(results[static_cast<std::size_t>(n)].value() == n);
  CHECK(watch.lost == 1);
}

TEMPLATE_TEST_CASE("a fork server that is stopped while a run ends does not keep it", "[stops]", AsBatch, AsPool) {
  const NothingLeftBehind check;
  ServerWatch watch;
  WorkOptions options{.num_workers = 2};
  std::atomic<int> finished = 0;
  options.on_event = [&](const Event& event) {
    watch.follow(event);
    if (event.kind == EventKind::task_finished && ++finished == 40) watch.signal(SIGSTOP);
  };
  const auto begun = std::chrono::steady_clock::now();
  const auto results = TestType::template map<int>(
      up_to(40), [](int n) { return n; }, options);
  CHECK(std::chrono::steady_clock::now() - begun < 30s);
  for (int n = 0; n < 40; ++n) CHECK(results[static_cast<std::size_t>(n)].value() == n);
}

TEMPLATE_TEST_CASE("a worker that somebody stops is timed out, and KILL reaches it", "[stops]", AsBatch, AsPool) {
  const NothingLeftBehind check;
  Gate stopped;
  WorkOptions options{.num_workers = 2, .task_timeout = 500ms, .kill_grace = 100ms};
  long victim = 0;
  // Its task waits for us to have stopped it, and cannot go on before: the number is still the worker's own.
  options.on_event = [&](const Event& event) {
    if (event.kind != EventKind::task_started || event.task != 3 || event.process <= 1) return;
    victim = event.process;
    ::kill(static_cast<pid_t>(victim), SIGSTOP);
    stopped.open();
  };
  const auto results = TestType::template map<int>(
      up_to(20),
      [&](int n) {
        if (n == 3) stopped.pass();
        return n;
      },
      options);
  CHECK(victim > 1);
  for (int n = 0; n < 20; ++n) {
    const auto& outcome = results[static_cast<std::size_t>(n)];
    CHECK(outcome.stats().attempts == 1);
    if (n == 3)
      CHECK(outcome.ending() == Ending::timed_out);
    else
      CHECK(outcome.value() == n);
  }
}
