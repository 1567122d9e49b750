// Once a worker has ended, the next one's successor is forked ahead: a spare, which nobody notices before it is needed.
#include "can_isolate.hpp"
#include "catch.hpp"
#include "left_behind.hpp"
#include "let_pass.hpp"
#include "misbehave.hpp"
#include "parent_of.hpp"

#include <bulkhead/work.hpp>

#include <sys/mman.h>

#include <atomic>
#include <fstream>
#include <numeric>
#include <set>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

std::vector<long> children_of(long pid) {
  const std::string number = std::to_string(pid);
  std::ifstream file("/proc/" + number + "/task/" + number + "/children");
  std::vector<long> children;
  for (long child = 0; file >> child;) children.push_back(child);
  return children;
}

// As in /proc: R, S, T, ...; 0: there is no such process.
char state_of(long pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  return name_end != line.npos && name_end + 2 < line.size() ? line[name_end + 2] : '\0';
}

// Until then its fork server may not have said that it ended, and it could still be given a slot.
bool is_reaped_within(long pid, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  if (!ends_within(pid, limit)) return false;
  while (state_of(pid) != '\0' && std::chrono::steady_clock::now() < deadline) let_pass(1ms);
  return state_of(pid) == '\0';
}

// In the only worker of a run: the other child of its fork server. 0: there is none within a time that is ample.
long await_spare() {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < deadline) {
    for (const long child : children_of(::getppid()))
      if (child != ::getpid()) return child;
    let_pass(1ms);
  }
  return 0;
}

// What workers say is passed on, and would be in the way here.
class StandardErrorDropped {
 public:
  StandardErrorDropped() : own_(::dup(STDERR_FILENO)) {
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(nowhere, STDERR_FILENO);
    ::close(nowhere);
  }
  StandardErrorDropped(const StandardErrorDropped&) = delete;
  StandardErrorDropped& operator=(const StandardErrorDropped&) = delete;
  ~StandardErrorDropped() {
    ::dup2(own_, STDERR_FILENO);
    ::close(own_);
  }

 private:
  int own_;
};

// What the only worker of a run is told to do, one after the other.
enum class Step {
  crash,
  await_spare,
  let_spare_age,
  kill_spare,
  stop_spare,
  kill_server,
  tell_pid,
  tell_slot,
  outlive_rush
};

long take(Step step) {
  switch (step) {
    case Step::crash:
      crash_by(SIGKILL);
      return 0;
    case Step::await_spare:
      return await_spare();
    case Step::let_spare_age: {
      const long spare = await_spare();
      let_pass(200ms);
      return spare;
    }
    case Step::kill_spare: {
      const long spare = await_spare();
      if (spare > 1) ::kill(static_cast<pid_t>(spare), SIGKILL);
      return is_reaped_within(spare, 20s) ? spare : 0;
    }
    case Step::stop_spare: {
      const long spare = await_spare();
      while (state_of(spare) != 'S' && state_of(spare) != '\0') let_pass(1ms);
      if (spare > 1) ::kill(static_cast<pid_t>(spare), SIGSTOP);
      return spare;
    }
    case Step::kill_server: {
      const long spare = await_spare();
      if (::getppid() > 1) ::kill(::getppid(), SIGKILL);
      return spare > 1 && ends_within(spare, 20s) ? spare : 0;
    }
    case Step::tell_pid:
      return ::getpid();
    case Step::outlive_rush:  // or no spare is forked
      let_pass(60ms);
      return this_task()->worker;
    case Step::tell_slot:
      return this_task()->worker;
  }
  return 0;
}

struct Told {
  std::vector<Outcome<long>> outcomes;
  std::vector<long> started;  // pids, by the events
  int servers_lost = 0;
};

Told run(const std::vector<Step>& steps, WorkOptions options = {}) {
  Told told;
  options.num_workers = 1;
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::worker_started) told.started.push_back(event.process);
    told.servers_lost += event.kind == EventKind::fork_server_lost;
  };
  told.outcomes = do_process_work(steps, take, options);
  return told;
}

}  // namespace

TEST_CASE("the successor of a worker that ended was forked before it ended", "[spare]") {
  const NothingLeftBehind check;
  const Told told = run({Step::crash, Step::await_spare, Step::crash, Step::tell_pid});
  REQUIRE(told.outcomes.size() == 4);
  CHECK(told.outcomes[0].error().signal == SIGKILL);
  CHECK(told.outcomes[2].error().signal == SIGKILL);
  const long spare = told.outcomes[1].value();
  CHECK(spare > 1);
  CHECK(told.outcomes[3].value() == spare);
  REQUIRE(told.started.size() == 3);
  CHECK(told.started[2] == spare);
  CHECK(told.servers_lost == 0);
  CHECK(parent_of(spare) == -1);  // and nothing of it, or of the spare behind it, is left
}

TEST_CASE("a spare that somebody kills is nobody's failure, and another worker comes", "[spare]") {
  const NothingLeftBehind check;
  const Told told = run({Step::crash, Step::kill_spare, Step::crash, Step::tell_pid, Step::tell_slot});
  REQUIRE(told.outcomes.size() == 5);
  CHECK(told.outcomes[1].value() > 1);
  CHECK(told.outcomes[2].error().signal == SIGKILL);
  CHECK(told.outcomes[3].value() != told.outcomes[1].value());
  CHECK(told.outcomes[4].value() == 0);
  CHECK(told.started.size() == 3);
  CHECK(told.servers_lost == 0);
}

TEST_CASE("a spare ends with its fork server, and the run goes on with another", "[spare]") {
  const NothingLeftBehind check;
  const Told told = run({Step::crash, Step::kill_server, Step::tell_slot, Step::crash, Step::tell_slot});
  REQUIRE(told.outcomes.size() == 5);
  CHECK(told.outcomes[1].value() > 1);
  CHECK(told.outcomes[2].value() == 0);
  CHECK(told.outcomes[4].value() == 0);
  CHECK(told.servers_lost == 1);
}

TEST_CASE("a spare that somebody stops keeps no task to itself, whatever it had to do first", "[spare]") {
  const NothingLeftBehind check;
  WorkOptions options;
  if (GENERATE(false, true)) options.worker_init = [] {};
  const Told told = run({Step::crash, Step::stop_spare, Step::crash, Step::tell_pid, Step::tell_slot}, options);
  REQUIRE(told.outcomes.size() == 5);
  CHECK(told.outcomes[1].value() > 1);
  CHECK(told.outcomes[2].error().signal == SIGKILL);
  CHECK(told.outcomes[3].value() > 1);
  CHECK(told.outcomes[3].value() != told.outcomes[1].value());
  CHECK(told.outcomes[3].stats().attempts == 1);
  CHECK(told.outcomes[4].value() == 0);
}

TEST_CASE("spares are isolated as workers are", "[spare]") {
  const NothingLeftBehind check;
  const Isolation isolation = GENERATE(Isolation::pid, Isolation::strict);
  if (!can_isolate(isolation)) return;
  WorkOptions options;
  options.isolation = isolation;
  std::vector<Step> steps;
  for (int i = 0; i < 10; ++i) steps.insert(steps.end(), {Step::crash, Step::outlive_rush});
  const Told told = run(steps, options);
  for (std::size_t i = 0; i < steps.size(); i += 2) {
    CHECK(told.outcomes[i].error().signal == SIGKILL);
    CHECK(told.outcomes[i + 1].value() == 0);
  }
  CHECK(told.started.size() == 11);
  CHECK(told.servers_lost == 0);
}

TEST_CASE("a listener may throw when a spare becomes a worker", "[spare]") {
  const NothingLeftBehind check;
  WorkOptions options{.num_workers = 1};
  int started = 0;
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::worker_started && ++started == 3) throw std::runtime_error("planned");
  };
  CHECK_THROWS_WITH(
      do_process_work(std::vector<Step>{Step::crash, Step::await_spare, Step::crash, Step::tell_pid}, take, options),
      "planned");
}

TEST_CASE("nothing of the user's runs in a spare before it is a worker", "[spare]") {
  const NothingLeftBehind check;
  void* const memory =
      ::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  auto& set_up = *::new (memory) std::atomic<int>(0);
  WorkOptions options;
  options.worker_init = [&] { ++set_up; };
  const Told told = run({Step::crash, Step::await_spare, Step::crash, Step::await_spare, Step::tell_slot}, options);
  CHECK(told.outcomes[3].value() > 1);
  CHECK(told.outcomes[4].value() == 0);
  CHECK(told.started.size() == 3);
  CHECK(set_up == 3);  // the spare that was there at the end was not
  ::munmap(memory, sizeof(std::atomic<int>));
}

TEST_CASE("where workers end all the time, each has a slot of its own, and its own words", "[spare]") {
  const NothingLeftBehind check;
  constexpr int tasks = 300;
  std::vector<int> items(tasks);
  std::iota(items.begin(), items.end(), 0);
  WorkOptions options;
  options.num_workers = 3;
  options.stderr_tail = 64;
  std::size_t started = 0, ended = 0, most = 0;
  options.on_event = [&](const Event& event) {
    started += event.kind == EventKind::worker_started;
    ended += event.kind == EventKind::worker_died || event.kind == EventKind::worker_left;
    most = std::max(most, started - ended);
  };
  const StandardErrorDropped quiet;
  std::set<int> slots;
  int index = 0;
  for (const auto& outcome : do_process_work(
           items,
           [](int item) {
             const std::string words = "item " + std::to_string(item);
             static_cast<void>(!::write(STDERR_FILENO, words.data(), words.size()));
             if (item % 2 == 0) crash_by(SIGKILL);
             return this_task()->worker;
           },
           options)) {
    if (index % 2 == 0)
      CHECK(outcome.error().stderr_tail.ends_with("item " + std::to_string(index)));
    else
      slots.insert(outcome.value());
    ++index;
  }
  CHECK(index == tasks);
  CHECK(*slots.begin() >= 0);
  CHECK(*slots.rbegin() < 3);
  CHECK(started >= tasks / 2);
  CHECK(most <= 3);
}

TEST_CASE("the time in which a spare stood by is no task's", "[spare]") {
  std::chrono::steady_clock::time_point employed{};
  const WorkOptions options{.num_workers = 1, .on_event = [&](const Event& event) {
                              if (event.kind == EventKind::worker_started) employed = event.when;
                            }};
  const std::vector steps{Step::crash, Step::let_spare_age, Step::crash, Step::tell_pid};
  const auto outcomes = do_process_work(steps, take, options);
  const auto since = std::chrono::steady_clock::now() - employed;
  REQUIRE((outcomes[1] && outcomes[3]));
  CHECK(*outcomes[3] == *outcomes[1]);  // it was the spare
  CHECK(outcomes[3].stats().ran <= since);
  CHECK(outcomes[1].stats().ran >= 200ms);
}
