// The crash matrix: where a task's way may end, and how. One table says what must become of the task in hand; whatever
// it says, every other task must have its value, after one attempt, and nothing may be left behind.
#include <bulkhead/channel.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "ipc/worker_page.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

// One of its own: the words of the table, and of what it takes to read it, are short ones.
namespace crash_matrix {
namespace {

enum class Stage {
  encode_item,    // in the caller
  decode_item,    // from here on in a worker
  init,           // in every worker
  init_once,      // in the first worker alone
  function,       //
  between,        // when the function has made its result, and destroys what it had
  encode_result,  //
  drop_item,      // when the result is encoded, and no frame made of it
  mid_frame,      // in the middle of writing the result's frame
  after_result,   // when the result is composed, in the middle of writing it, other tasks waiting
  idle,           // asleep for lack of tasks
  exit,           // worker_exit
  decode_result,  // from here on in the caller
  callback,       // on_event, when the task has finished
};

// What the task in hand must end as.
enum class Cell {
  value,  // its value, after one attempt: this blames nobody
  thrown,
  left_0,
  left_7,
  segv,
  abrt,
  kill,
  late,   // timed out
  uncod,  // not_serializable
  proto,  // protocol_error
  aband,  // every task: the run gives up after a bounded number of forks, and says why
  host,   // the host's own end: no process of the run may outlive it
  out,    // the call throws it
  none,   // cannot be: no code of the user's runs there; or not for threads
};

struct Row {
  Stage stage;
  const char* name;
  std::array<Cell, all_ways.size()> processes;  // in the order of all_ways
  Cell threads;                                 // where it throws: threads can keep no other promise
};

// An exception that leaves a thread, a destructor or a signal handler is std::terminate: SIGABRT.
// clang-format off
using enum Cell;
constexpr std::array matrix{
// stage                                           throws exit(0) _exit(7) store terminate abort overflow KILL hangs stops  threads: throws
Row{Stage::encode_item,   "encode the item",     {uncod, host,   host,   host,  host,  host,  host,  host,  host,  host},  none},
Row{Stage::decode_item,   "decode the item",     {uncod, left_0, left_7, segv,  abrt,  abrt,  segv,  kill,  late,  late},  none},
Row{Stage::init,          "worker_init",         {aband, aband,  aband,  aband, aband, aband, aband, aband, aband, aband}, aband},
Row{Stage::init_once,     "worker_init, once",   {value, value,  value,  value, value, value, value, value, value, value}, none},
Row{Stage::function,      "in the function",     {thrown, left_0, left_7, segv, abrt,  abrt,  segv,  kill,  late,  late},  thrown},
Row{Stage::between,       "after its return",    {thrown, left_0, left_7, segv, abrt,  abrt,  segv,  kill,  late,  late},  thrown},
Row{Stage::encode_result, "encode the result",   {uncod, left_0, left_7, segv,  abrt,  abrt,  segv,  kill,  late,  late},  none},
Row{Stage::drop_item,     "before its frame",    {abrt,  left_0, left_7, segv,  abrt,  abrt,  segv,  kill,  late,  late},  none},
Row{Stage::mid_frame,     "in the frame",        {abrt,  left_0, left_7, segv,  abrt,  abrt,  segv,  kill,  late,  late},  none},
Row{Stage::after_result,  "after the result",    {value, value,  value,  value, value, value, value, value, value, value}, none},
Row{Stage::idle,          "idle",                {value, value,  value,  value, value, value, value, value, value, value}, none},
Row{Stage::exit,          "worker_exit",         {value, value,  value,  value, value, value, value, value, value, value}, value},
Row{Stage::decode_result, "decode the result",   {proto, host,   host,   host,  host,  host,  host,  host,  host,  host},  none},
Row{Stage::callback,      "in a callback",       {out,   host,   host,   host,  host,  host,  host,  host,  host,  host},  out},
};
// clang-format on

constexpr int tasks = 20, culprit = 10;
constexpr int here = 9;  // the output channel by which a task says where it is
constexpr unsigned deaths_allowed = 3;
constexpr auto time_limit = 500ms;  // where something lingers
constexpr auto overdue = 15s;       // nothing here takes so long, unless it would take for ever

// What the processes of a run tell each other.
struct Shared {
  std::atomic<int> faults{0};            // how many times a process came to the fault's place
  std::atomic<bool> first_worker{true};  // nobody has been it yet
};

// The cell under way. Workers inherit it.
struct Plan {
  Stage stage;
  Way way;
  std::set<std::string> descriptors{};  // of the test's own
  SharedRegion region{sizeof(Shared)};
  Shared& shared = *::new (static_cast<void*>(region.bytes().data())) Shared;
  Gate fault{}, go{};  // the fault is about to be made; it may be
  std::atomic<int> encoded{-1};
};
Plan* plan = nullptr;

void strike() {
  ++plan->shared.faults;
  plan->fault.open();
  misbehave(plan->way);
}
void strike_in(Stage stage) {
  if (plan->stage == stage) strike();
}
void strike_at(Stage stage, int n) {
  if (n == culprit) strike_in(stage);
}

struct Item {
  int n = 0;
  Item() = default;
  explicit Item(int number) : n(number) {}
  Item(const Item&) = default;
  Item& operator=(const Item&) = default;
  ~Item() {
    if (n == culprit && plan->encoded == n) strike_in(Stage::drop_item);
  }
  template <class Archive>
  void save(Archive& archive) const {
    strike_at(Stage::encode_item, n);
    archive(n);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(n);
    strike_at(Stage::decode_item, n);
  }
};

struct Result {
  int n = 0;
  std::string padding{};
  template <class Archive>
  void save(Archive& archive) const {
    strike_at(Stage::encode_result, n);
    archive(n, padding);
    plan->encoded = n;
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(n, padding);
    strike_at(Stage::decode_result, n);
  }
};

struct Parting {
  int n;
  ~Parting() noexcept(false) { strike_at(Stage::between, n); }
};

// In a worker: the pipe it writes to, which is the only one that the test had not.
int result_pipe() {
  for (const std::string& name : names_in("/proc/self/fd")) {
    if (plan->descriptors.contains(name)) continue;  // and the folder's own two names
    struct stat status {};
    const int fd = std::stoi(name);
    if (::fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
      return fd;
  }
  return -1;
}

bool has_room(int pipe) {
  pollfd asked{pipe, POLLOUT, 0};
  return ::poll(&asked, 1, 0) > 0 && (asked.revents & POLLOUT) != 0;
}

// Makes the fault in the worker's main thread when that is where the stage says: asleep in a full pipe with the last
// of the user's code behind it, or asleep without tasks. Looked at, not waited for: nothing tells.
void lie_in_wait() {
  std::signal(SIGUSR1, [](int) { strike(); });
  const auto main = ::pthread_self();
  std::thread([main, number = ::gettid(), pipe = result_pipe()] {
    const bool idle = plan->stage == Stage::idle;
    if (idle) plan->go.pass();
    while (plan->encoded != culprit && !idle) std::this_thread::yield();
    while (has_room(pipe) != idle || !is_asleep(number)) std::this_thread::yield();
    if (plan->way == Way::throws) strike();  // out of a thread
    ::pthread_kill(main, SIGUSR1);
  }).detach();
}

void say(std::size_t size) {
  const std::vector<std::byte> words(size);
  emit_output(here, words);
}

// Until the next write must wait: the pipe, which is empty, is made to hold one page. The caller takes nothing
// meanwhile.
void fill(int pipe) {
  constexpr int page = 4096, head = 16 + 4;  // of a frame: its header, and the channel's number
  ::fcntl(pipe, F_SETPIPE_SZ, page);
  while (has_room(pipe)) say(page - head);
}

void work_for(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

// A result for which the annex has no place goes straight to the pipe: the place is taken from under it.
void lose_annex() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("bulkhead-worker") == std::string::npos || line.find(" rw-s ") == std::string::npos) continue;
    auto* const memory = reinterpret_cast<std::byte*>(std::stoull(line, nullptr, 16));
    ::munmap(memory, ipc::annex_bytes);
  }
}

// Brings its worker to where the fault is to be made.
std::size_t set_the_scene() {
  switch (plan->stage) {
    case Stage::idle:
      lie_in_wait();
      return 0;
    case Stage::mid_frame:
      lose_annex();
      lie_in_wait();
      say(1);
      plan->go.pass();
      return 8u << 20;  // more than a pipe can be made to hold
    case Stage::after_result:
      lie_in_wait();
      say(1);
      plan->go.pass();
      fill(result_pipe());
      work_for(10ms);  // longer than a result waits for others: it is written at once
      return 0;
    default:
      return 0;
  }
}

Result task(const Item& item) {
  const Parting parting{item.n};
  strike_at(Stage::function, item.n);
  std::size_t padding = 0;
  if (item.n == culprit)
    padding = set_the_scene();
  else if (plan->stage == Stage::after_result)
    work_for(50us);  // long enough that none is grouped with others
  return {item.n, std::string(padding, 'p')};
}

// The items of the idle row: behind the culprit the input waits until its worker has been dealt its fault.
struct WaitingInput {
  struct Iterator {
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    WaitingInput* input = nullptr;
    Item operator*() const { return Item(input->at); }
    Iterator& operator++() { return ++input->at, *this; }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& i, std::default_sentinel_t) { return i.input->at == tasks; }
  };
  Iterator begin() { return {this}; }
  std::default_sentinel_t end() const { return {}; }
  bool ready() const { return at < culprit || (lingers(plan->way) ? plan->fault.is_open() : died); }
  int wait_descriptor() const { return -1; }
  bool died = false;
  int at = 0;
};

struct Run {
  std::vector<Outcome<Result>> results;
  unsigned started = 0, finished = 0, died = 0;
  std::set<std::pair<std::uint64_t, unsigned>> begun{};  // tasks and attempts whose start was told
  bool twice = false, met = false, in_time = true;
  WaitingInput waiting{};
  std::stop_source stop{};
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

  // The caller takes nothing from the pipe until its worker has come to the fault's place, and is gone if it goes.
  void meet(long worker) {
    met = true;
    plan->go.open();
    in_time = plan->fault.opens_within(overdue) && (lingers(plan->way) || ends_within(worker, overdue));
  }

  void take(const Event& event) {
    started += event.kind == EventKind::worker_started;
    if (event.kind == EventKind::task_started) twice |= !begun.emplace(event.task, event.attempt).second;
    died += event.kind == EventKind::worker_died;
    if (event.kind == EventKind::worker_died) waiting.died = true;
    if (event.kind == EventKind::task_output && event.channel == here && !met) meet(event.process);
    if (event.kind == EventKind::task_finished) {
      strike_at(Stage::callback, static_cast<int>(event.task));
      if (++finished == culprit + 1 && plan->stage == Stage::idle) plan->go.open();
    }
    // What would take for ever is a failure, and not the end of all tests behind it.
    if (std::chrono::steady_clock::now() - began > overdue) in_time = false, stop.request_stop();
  }

  WorkOptions options(std::size_t workers) {
    WorkOptions options{.num_workers = workers, .per_sync_timeout = 20ms, .stop = stop.get_token()};
    options.worker_init = [] {
      strike_in(Stage::init);
      if (plan->stage == Stage::init_once && plan->shared.first_worker.exchange(false)) strike();
    };
    options.worker_exit = [] { strike_in(Stage::exit); };
    options.on_event = [this](const Event& event) { take(event); };
    return options;
  }
};

std::vector<Item> items() {
  std::vector<Item> all;
  for (int n = 0; n < tasks; ++n) all.emplace_back(n);
  return all;
}

void run_processes(Run& run, std::size_t workers) {
  WorkOptions options = run.options(workers);
  options.kill_grace = 100ms;
  options.respawn = {.limit = deaths_allowed, .period = 60s};
  options.prefetch = 4;  // others wait in the lane of the one that dies
  if (lingers(plan->way)) options.task_timeout = options.init_timeout = time_limit;
  run.results = plan->stage == Stage::idle ? do_process_work(run.waiting, task, options)
                                           : do_process_work(items(), task, options);
}

void run_threads(Run& run, std::size_t workers) { run.results = do_threaded_work(items(), task, run.options(workers)); }

Ending ending_of(Cell cell) {
  switch (cell) {
    case thrown:
      return Ending::exception;
    case left_0:
    case left_7:
      return Ending::exited;
    case segv:
    case abrt:
    case Cell::kill:
      return Ending::crashed;
    case late:
      return Ending::timed_out;
    case uncod:
      return Ending::not_serializable;
    case proto:
      return Ending::protocol_error;
    case aband:
      return Ending::abandoned;
    default:
      return Ending::value;
  }
}

void check_culprit(const Outcome<Result>& outcome, Cell cell) {
  INFO(to_string(outcome.ending()) << (outcome ? "" : ": " + outcome.error().describe()));
  REQUIRE(to_string(outcome.ending()) == to_string(ending_of(cell)));
  CHECK(outcome.stats().attempts == (plan->stage == Stage::encode_item || cell == aband ? 0 : 1));
  if (outcome.has_value()) {
    CHECK(outcome->n == culprit);
    return;
  }
  const int signal = cell == segv ? SIGSEGV : cell == abrt ? SIGABRT : cell == Cell::kill ? SIGKILL : 0;
  CHECK(outcome.error().signal == signal);
  CHECK(outcome.error().exit_code == (cell == left_0 ? 0 : cell == left_7 ? 7 : -1));
  if (cell == thrown || cell == uncod || cell == proto) CHECK(outcome.error().what == "planned");
}

void check_others(const std::vector<Outcome<Result>>& results) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (i == culprit) continue;
    CAPTURE(i, to_string(results[i].ending()));
    REQUIRE(results[i].has_value());
    CHECK(results[i]->n == static_cast<int>(i));
    CHECK(results[i].stats().attempts == 1);
  }
}

void check_abandoned(const Run& run, std::size_t workers) {
  // SIGKILL may be somebody else's doing, and counts a tenth.
  const std::size_t counted = plan->way == Way::killed ? 10 * (deaths_allowed + 1) : deaths_allowed;
  CHECK(run.started <= counted + 1 + workers);
  CHECK_FALSE(run.results[0].error().what.empty());
  for (const auto& outcome : run.results) check_culprit(outcome, aband);
}

// P5 is all that can be kept where the caller itself ends: whatever way it goes, its workers go with it. They have the
// writing end of `life`, so its end of file means that all are gone.
void check_host(std::size_t workers) {
  Gate life;
  std::fflush(nullptr);
  const pid_t host = ::fork();
  REQUIRE(host >= 0);
  if (host == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    life.close_reading();
    Run run;
    run_processes(run, workers);
    ::_exit(99);
  }
  CHECK(plan->fault.opens_within(overdue));
  if (lingers(plan->way)) ::kill(host, SIGKILL);
  CHECK(ends_within(host, overdue));
  ::kill(host, SIGKILL);  // not collected yet: the number is its own
  int status = 0;
  REQUIRE(::waitpid(host, &status, 0) == host);
  CHECK_FALSE((WIFEXITED(status) && WEXITSTATUS(status) == 99));
  CHECK(life.is_deserted_within(2s));
}

using Runner = void (*)(Run&, std::size_t);

void check_run(Runner runner, Cell cell, std::size_t workers) {
  Run run;
  if (cell == out) {
    CHECK_THROWS_WITH(runner(run, workers), "planned");
  } else {
    runner(run, workers);
    CHECK(run.in_time);
    CHECK_FALSE(run.twice);
    REQUIRE(run.results.size() == tasks);
    if (cell == aband) {
      check_abandoned(run, workers);
    } else {
      check_culprit(run.results[culprit], cell);
      check_others(run.results);
    }
  }
  CHECK(plan->shared.faults > 0);
}

void check_cell(Stage stage, Way way, Cell cell, Runner runner, std::size_t workers) {
  const NothingLeftBehind check;
  if (cell == none) return;
  const auto mine = std::unique_ptr<Plan>(new Plan{stage, way});
  mine->descriptors = names_in("/proc/self/fd");
  plan = mine.get();
  if (cell == host)
    check_host(workers);
  else
    check_run(runner, cell, workers);
  plan = nullptr;
}

void check_row(Stage stage) {
  const Row& row = matrix[static_cast<std::size_t>(stage)];
  REQUIRE(row.stage == stage);
  for (const std::size_t workers : {1u, 2u}) {
    for (std::size_t i = 0; i < all_ways.size(); ++i) {
      DYNAMIC_SECTION(row.name << ": " << name_of(all_ways[i]) << ", processes: " << workers) {
        check_cell(stage, all_ways[i], row.processes[i], run_processes, workers);
      }
    }
    DYNAMIC_SECTION(row.name << ": throws, threads: " << workers) {
      check_cell(stage, Way::throws, row.threads, run_threads, workers);
    }
  }
}

}  // namespace

TEST_CASE("the caller fails while it encodes an item", "[crash_matrix]") { check_row(Stage::encode_item); }
TEST_CASE("a worker ends while it decodes its item", "[crash_matrix]") { check_row(Stage::decode_item); }
TEST_CASE("every worker ends in worker_init", "[crash_matrix]") { check_row(Stage::init); }
TEST_CASE("the first worker ends in worker_init, and no other", "[crash_matrix]") { check_row(Stage::init_once); }
TEST_CASE("a worker ends in the function", "[crash_matrix]") { check_row(Stage::function); }
TEST_CASE("a worker ends between return and result", "[crash_matrix]") { check_row(Stage::between); }
TEST_CASE("a worker ends while it encodes the result", "[crash_matrix]") { check_row(Stage::encode_result); }
TEST_CASE("a worker ends with a result that is encoded and not sent", "[crash_matrix]") { check_row(Stage::drop_item); }
TEST_CASE("a worker ends in the middle of a result's frame", "[crash_matrix]") { check_row(Stage::mid_frame); }
TEST_CASE("a worker ends after a result, before the next task", "[crash_matrix]") { check_row(Stage::after_result); }
TEST_CASE("a worker ends while it is idle", "[crash_matrix]") { check_row(Stage::idle); }
TEST_CASE("every worker ends in worker_exit", "[crash_matrix]") { check_row(Stage::exit); }
TEST_CASE("the caller fails while it decodes a result", "[crash_matrix]") { check_row(Stage::decode_result); }
TEST_CASE("the caller fails in a callback", "[crash_matrix]") { check_row(Stage::callback); }

}  // namespace crash_matrix
