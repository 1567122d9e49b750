// Ctrl-Z and fg: everything stands still and goes on, and the time between is nobody's.
#include "left_behind.hpp"
#include "let_pass.hpp"
#include "os/descendants.hpp"
#include "os/small_file.hpp"
#include "parent_of.hpp"
#include "terminal.hpp"

#include <bulkhead/signals.hpp>
#include <bulkhead/work.hpp>
#include <bulkhead/work_clock.hpp>

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>

using namespace outside;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;
const std::string suspend_key = "\x1a";

template <class Condition>
bool becomes_true(const Condition& condition) {
  for (const auto until = Clock::now() + 30s; !condition(); let_pass(5ms))
    if (Clock::now() > until) return false;
  return true;
}

char state_of(int pid) {
  const std::string stat = bulkhead::os::read_small_file("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = stat.rfind(')');
  return name_end + 2 < stat.size() ? stat[name_end + 2] : '-';
}

bool lives(int pid) { return state_of(pid) != '-' && state_of(pid) != 'Z' && state_of(pid) != 'X'; }

bool is_server(int pid) {
  return bulkhead::os::read_small_file("/proc/" + std::to_string(pid) + "/comm").find("bulkhead-") == 0;
}

// All below the program but its children, the fork server and a worker that has none: these see to the others.
std::vector<int> all_that_stand_still(int program) {
  std::vector<int> all = bulkhead::os::descendants_of(program);
  std::erase_if(all, [&](int pid) { return is_server(pid) || parent_of(pid) == program; });
  return all;
}

std::vector<int> children_of(int program) {
  std::vector<int> all = bulkhead::os::descendants_of(program);
  std::erase_if(all, [&](int pid) { return parent_of(pid) != program; });
  return all;
}

// A worker that waits for a child which was stopped before it became a program stands still as well.
bool stands_still(int pid) {
  if (state_of(pid) != 'D') return state_of(pid) == 'T' || !lives(pid);
  const std::vector<int> below = bulkhead::os::descendants_of(pid);
  return std::any_of(below.begin(), below.end(), [](int child) { return state_of(child) == 'T'; });
}

bool all_stand_still(const std::vector<int>& pids) { return std::all_of(pids.begin(), pids.end(), stands_still); }

void suspend(TerminalJob& job) {
  job.type(suspend_key);
  REQUIRE(job.wait_until_stopped());
  REQUIRE(becomes_true([&] { return all_stand_still(all_that_stand_still(job.pid())); }));
}

}  // namespace

TEST_CASE("Ctrl-Z stops workers and tasks with all they have started, and fg lets them go on", "[suspension]") {
  const NothingLeftBehind check;
  const std::string isolation = GENERATE("contained", "pid");
  if (isolation == "pid" && run({"-q", "--isolate", "pid", "true", ":::", "1"}).status != 0)
    return;  // not granted here
  CAPTURE(isolation);
  const Directory directory;
  sh("mkfifo \"$1/go\"", {directory.path()});
  TerminalJob job(
      {"run", "--isolate", isolation, "--line-buffer", "-c",
       "setsid sleep 1000 & (sleep 1000 & sleep 1000) & echo up {}; read x < '" + directory / "go" + "'; echo done {}",
       ":::", "a"});
  REQUIRE(job.wait_for("up a"));
  constexpr std::size_t all = 4;  // the shell, and who sleeps: its subshell has become one of these
  REQUIRE(becomes_true([&] { return all_that_stand_still(job.pid()).size() >= all; }));
  for (int round = 0; round < 3; ++round) {
    suspend(job);
    CHECK(all_that_stand_still(job.pid()).size() >= all);
    job.foreground();
    REQUIRE(becomes_true([&] {
      const std::vector<int> pids = all_that_stand_still(job.pid());
      return std::none_of(pids.begin(), pids.end(), [](int pid) { return state_of(pid) == 'T'; });
    }));
  }
  sh("echo > \"$1/go\"", {directory.path()});
  REQUIRE(job.wait_for("done a"));
  CHECK(job.wait_for_end() == 0);
}

TEST_CASE("killed while it is suspended, the program takes all along", "[suspension]") {
  const NothingLeftBehind check;
  const auto [how, jobs] =
      GENERATE(table<std::string, std::string>({{"run", "-j1"}, {"run", "-j2"}, {"coprocess", "-j2"}}));
  CAPTURE(how, jobs);
  TerminalJob job({how, jobs, "--line-buffer", "--", "sh", "-c",
                   "trap '' TERM HUP; setsid sleep 1000 & sleep 1000 & echo up >&2; wait", ":::", "1"});
  REQUIRE(job.wait_for("up"));
  suspend(job);
  const std::vector<int> pids = bulkhead::os::descendants_of(job.pid());
  REQUIRE(pids.size() >= 4);
  job.signal(SIGKILL);
  job.foreground();  // the shell looks at it again
  CHECK(job.wait_for_end() == 128 + SIGKILL);
  CHECK(becomes_true([&] { return std::none_of(pids.begin(), pids.end(), lives); }));
}

// The kernel hangs up on a stopped group whose shell is gone, as the workers' seems to be now: that ends the task.
TEST_CASE("a fork server that is killed while all is suspended leaves nobody standing still", "[suspension]") {
  const NothingLeftBehind check;
  TerminalJob job({"run", "-j2", "--line-buffer", "-c", "echo up {}; sleep 1; echo done {}", ":::", "a", "b", "c"});
  REQUIRE(job.wait_for("up b"));
  suspend(job);
  std::vector<int> servers = children_of(job.pid());
  std::erase_if(servers, [](int pid) { return !is_server(pid); });
  REQUIRE(servers.size() == 1);
  ::kill(servers.front(), SIGKILL);
  job.foreground();
  REQUIRE(job.wait_for("done c"));
  CHECK(job.wait_for_end() <= 1);
}

TEST_CASE("a worker without a fork server that is killed while all is suspended costs its task", "[suspension]") {
  const NothingLeftBehind check;
  TerminalJob job({"run", "-j1", "--line-buffer", "-c",
                   "setsid sleep 1000 & echo up {}; [ {} = b ] || wait; echo done {}", ":::", "a", "b"});
  REQUIRE(job.wait_for("up a"));
  suspend(job);
  const std::vector<int> children = children_of(job.pid());
  REQUIRE(children.size() == 1);
  REQUIRE_FALSE(is_server(children.front()));
  const std::vector<int> pids = bulkhead::os::descendants_of(job.pid());
  ::kill(children.front(), SIGKILL);
  job.foreground();
  REQUIRE(job.wait_for("done b"));
  CHECK(job.wait_for_end() == 1);
  CHECK(std::none_of(pids.begin(), pids.end(), lives));
}

namespace {

constexpr std::chrono::milliseconds timer_length = 3s, standing_still = 3500ms;

struct Timer {
  const char* name;
  Words words;
  std::string begin, end;  // what is printed when it begins, and when it has run out; empty: at the very end
  int status;
};

const std::vector<Timer>& timers() {
  static const std::vector<Timer> all{
      {"timeout",
       {"run", "--line-buffer", "--timeout", "3s", "-c", "echo begin {}; exec sleep 1000", ":::", "a"},
       "begin a",
       "",
       1},
      {"deadline",
       {"run", "--line-buffer", "--deadline", "3s", "-c", "echo begin {}; exec sleep 1000", ":::", "a"},
       "begin a",
       "",
       124},
      {"delay", {"run", "-j2", "-q", "--delay", "3s", "echo", ":::", "begin", "finish"}, "begin", "finish", 0},
      {"retry-delay",
       {"run", "--line-buffer", "-q", "--retries", "1", "--retry-delay", "3s", "-c",
        "echo attempt $BULKHEAD_ATTEMPT; exit 1; : {}", ":::", "a"},
       "attempt 1",
       "attempt 2",
       1},
      {"term-seq",
       {"run", "--line-buffer", "--timeout", "100ms", "--term-seq", "TERM,3s,KILL", "-c",
        "trap 'echo begin' TERM; while :; do sleep 0.05; done; : {}", ":::", "a"},
       "begin",
       "",
       1},
      {"timeout of a co-process",
       {"coprocess", "--line-buffer", "--timeout", "3s", "--", "sh", "-c", "read x; echo begin >&2; exec sleep 1000",
        ":::", "a"},
       "begin",
       "",
       1},
  };
  return all;
}

}  // namespace

// Had the time between counted, each would have run out by the time that the job goes on.
TEST_CASE("the time that a job is suspended counts for no timer", "[suspension][long]") {
  const NothingLeftBehind check;
  const std::size_t which = GENERATE(range(std::size_t{0}, std::size_t{6}));
  const Timer& timer = timers().at(which);
  CAPTURE(timer.name);
  const auto before = Clock::now();
  TerminalJob job(timer.words);
  REQUIRE(job.wait_for(timer.begin));
  suspend(job);
  const auto stopped = Clock::now();
  let_pass(standing_still);
  const auto resumed = Clock::now();
  job.foreground();
  if (!timer.end.empty()) REQUIRE(job.wait_for(timer.end));
  const auto ended = Clock::now();
  CHECK(job.wait_for_end() == timer.status);
  const auto end = timer.end.empty() ? Clock::now() : ended;
  CHECK((stopped - before) + (end - resumed) >= timer_length);
}

TEST_CASE("the time that a job is suspended is not in its log", "[suspension]") {
  const NothingLeftBehind check;
  const Directory directory;
  sh("mkfifo \"$1/go\"", {directory.path()});
  const auto before = Clock::now();
  TerminalJob job({"run", "-q", "--line-buffer", "--joblog", directory / "log", "-c",
                   "echo begin {}; read x < '" + directory / "go" + "'", ":::", "a"});
  REQUIRE(job.wait_for("begin"));
  suspend(job);
  const auto stopped = Clock::now();
  let_pass(standing_still);
  const auto resumed = Clock::now();
  job.foreground();
  sh("echo > \"$1/go\"", {directory.path()});
  CHECK(job.wait_for_end() == 0);
  const std::chrono::duration<double> most = (stopped - before) + (Clock::now() - resumed);
  CHECK(std::stod(sh("tail -n 1 \"$1\" | cut -f 4", {directory / "log"}).output) < most.count());
}

namespace {

// A task's own limit, kept by the library's coordinator. Returns 0 if the task got all of its time.
int work_while_suspended(std::chrono::milliseconds allowed) {
  using bulkhead::WorkClock;
  const bulkhead::SignalWatch signals;
  bulkhead::WorkOptions options{.num_workers = 1, .task_timeout = allowed, .kill_grace = 100ms};
  const auto begins = Clock::now();
  const auto results = bulkhead::do_process_work(
      std::vector<int>{1},
      [&](int n) {
        std::puts("begin"), std::fflush(stdout);
        for (;;) ::pause();
        return n;
      },
      options);
  if (results[0].ending() != bulkhead::Ending::timed_out) return 1;
  if (WorkClock::suspended() < standing_still) return 2;
  return Clock::now() - begins - WorkClock::suspended() >= allowed ? 0 : 3;
}

}  // namespace

TEST_CASE("the time that a program is suspended counts for no limit of the library's", "[suspension]") {
  const NothingLeftBehind check;
  TerminalJob job([] { return work_while_suspended(timer_length); });
  REQUIRE(job.wait_for("begin"));
  suspend(job);
  let_pass(standing_still);
  job.foreground();
  CHECK(job.wait_for_end() == 0);
}
