// What only processes promise: a task that crashes, exits, hangs or is too large costs itself and nothing else.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "numbers.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

template <class R>
int values_of(const std::vector<Outcome<R>>& results) {
  int values = 0;
  for (const auto& outcome : results) values += outcome.has_value();
  return values;
}

struct Box {
  Box() = default;
  explicit Box(int n) : content(n) {}
  Box(Box&&) = default;
  Box& operator=(Box&&) = default;
  int content = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(content);
  }
};

struct Picky {
  int n = 0;
  template <class Archive>
  void save(Archive& archive) const {
    if (n == 3) throw std::runtime_error("three is not for saving");
    archive(n);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(n);
    if (n == 5) throw std::runtime_error("five is not for loading");
  }
};

}  // namespace

TEST_CASE("of a hundred tasks one kills its worker", "[process_work]") {
  const NothingLeftBehind check;
  const auto workers = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{8});
  const bool ordered = GENERATE(true, false);
  const auto results = do_process_work(up_to(100),
                                       [](int n) {
                                         if (n == 42) crash_by(SIGSEGV);
                                         return 2 * n;
                                       },
                                       {.num_workers = workers, .preserve_result_ordering = ordered});
  REQUIRE(results.size() == 100);
  CHECK(values_of(results) == 99);
  int crashed = 0;
  for (std::size_t i = 0; i < 100; ++i) {
    if (results[i]) {
      if (ordered) CHECK(*results[i] == static_cast<int>(2 * i));
      CHECK(results[i].stats().attempts == 1);
    } else {
      ++crashed;
      CHECK(results[i].ending() == Ending::crashed);
      CHECK(results[i].error().signal == SIGSEGV);
      CHECK(results[i].error().exit_code == -1);
      if (ordered) CHECK(i == 42);
    }
  }
  CHECK(crashed == 1);
}

TEST_CASE("a worker and its successors do the tasks in their order", "[process_work]") {
  const NothingLeftBehind check;
  std::vector<std::uint64_t> started;
  std::vector<int> numbers(400);
  std::iota(numbers.begin(), numbers.end(), 0);
  do_process_work(numbers,
                  [](int n) {
                    if (n % 3 == 1) crash_by(SIGKILL);
                    return n;
                  },
                  {.num_workers = 1, .on_event = [&](const Event& event) {
                     if (event.kind == EventKind::task_started) started.push_back(event.task);
                   }});
  CAPTURE(started);
  CHECK(started.size() == numbers.size());
  CHECK(std::is_sorted(started.begin(), started.end()));
}

TEST_CASE("every task crashes and each has its own ending", "[process_work]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(up_to(60),
                                       [](int n) {
                                         crash_by(n % 2 == 0 ? SIGABRT : SIGKILL);
                                         return n;
                                       },
                                       {.num_workers = 3});
  for (std::size_t i = 0; i < results.size(); ++i) {
    REQUIRE(results[i].ending() == Ending::crashed);
    REQUIRE(results[i].error().signal == (i % 2 == 0 ? SIGABRT : SIGKILL));
    REQUIRE(results[i].stats().attempts == 1);
  }
}

TEST_CASE("leaving in the middle of a task is a failure, with code 0 too", "[process_work]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(up_to(4),
                                       [](int n) {
                                         if (n == 1) std::exit(0);
                                         if (n == 2) ::_exit(7);
                                         return n;
                                       },
                                       {.num_workers = 2});
  CHECK(results[0].value() == 0);
  CHECK(results[1].ending() == Ending::exited);
  CHECK(results[1].error().exit_code == 0);
  CHECK(results[1].error().signal == 0);
  CHECK(results[2].ending() == Ending::exited);
  CHECK(results[2].error().exit_code == 7);
  CHECK(results[3].value() == 3);
}

TEST_CASE("a task that outlives its time is ended, asleep, deaf or stopped", "[process_work]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(up_to(5),
                                       [](int n) {
                                         if (n == 1) std::signal(SIGTERM, SIG_IGN);
                                         if (n == 2) std::raise(SIGSTOP);
                                         if (n == 1 || n == 3)
                                           for (;;) ::pause();
                                         return n;
                                       },
                                       {.num_workers = 2, .task_timeout = 150ms, .kill_grace = 100ms});
  CHECK(results[0].value() == 0);
  for (std::size_t i : {1u, 2u, 3u}) {
    CHECK(results[i].ending() == Ending::timed_out);
    CHECK(results[i].stats().ran >= 150ms);
  }
  CHECK(results[4].value() == 4);
}

TEST_CASE("a function with a stop_token is told before it is killed", "[process_work]") {
  const NothingLeftBehind check;
  std::vector<std::string> said;
  const auto results =
      do_process_work(std::vector<int>{0},
                      [](int, std::stop_token stop) {
                        while (!stop.stop_requested()) std::this_thread::yield();
                        const std::string words = "told";
                        emit_output(1, std::as_bytes(std::span(words)));
                        for (;;) ::pause();
                        return 0;
                      },
                      {.task_timeout = 100ms, .kill_grace = 500ms, .on_event = [&](const Event& event) {
                         if (event.kind == EventKind::task_output)
                           said.emplace_back(reinterpret_cast<const char*>(event.output.data()), event.output.size());
                       }});
  CHECK(results[0].ending() == Ending::timed_out);
  CHECK(said == std::vector<std::string>{"told"});
}

TEST_CASE("move-only results and items travel", "[process_work]") {
  const NothingLeftBehind check;
  std::vector<Box> boxes;
  for (int i = 0; i < 10; ++i) boxes.emplace_back(i);
  const auto results =
      do_process_work(std::move(boxes), [](Box box) { return Box(box.content + 1); }, {.num_workers = 2});
  for (std::size_t i = 0; i < 10; ++i) CHECK(results[i]->content == static_cast<int>(i) + 1);
}

TEST_CASE("items and results of every size up to the limit travel, larger ones are refused", "[process_work]") {
  const NothingLeftBehind check;
  constexpr std::size_t limit = 3u << 20;
  std::vector<std::string> items;
  for (std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{1023}, std::size_t{1024}, std::size_t{1025},
        std::size_t{4095}, std::size_t{4096}, std::size_t{4097}, std::size_t{8191}, std::size_t{8192},
        std::size_t{8193}, std::size_t{32'767}, std::size_t{32'768}, std::size_t{32'769}, std::size_t{65'536},
        std::size_t{300'000}, limit, limit + 1})
    items.push_back(std::string(size, static_cast<char>('a' + items.size())));
  for (int round = 0; round < 2; ++round) {
    const auto results = do_process_work(items, [](std::string s) { return s; },
                                         {.num_workers = 2, .max_item_bytes = limit, .max_result_bytes = limit});
    for (std::size_t i = 0; i + 1 < items.size(); ++i) REQUIRE(results[i].value() == items[i]);
    CHECK(results.back().ending() == Ending::too_large);
    CHECK_THAT(results.back().error().what, Catch::Contains("max_item_bytes is 3145728"));
  }
  const auto grown = do_process_work(items, [](std::string s) { return s + s; },
                                     {.num_workers = 2, .max_item_bytes = 2 * limit, .max_result_bytes = limit});
  CHECK(grown.back().ending() == Ending::too_large);
  CHECK_THAT(grown.back().error().what, Catch::Contains("max_result_bytes is 3145728"));
  CHECK(grown[0].value().empty());
  CHECK(grown[13].value() == items[13] + items[13]);
}

TEST_CASE("64 MiB travel each way by default while others work", "[process_work]") {
  const NothingLeftBehind check;
  constexpr std::size_t large = (64u << 20) - 8;
  auto sizes = up_to(40);
  const auto results = do_process_work(
      sizes, [](int n) { return std::string(n % 10 == 3 ? large : 10, static_cast<char>('a' + n % 26)); },
      {.num_workers = 2});
  for (std::size_t i = 0; i < results.size(); ++i) {
    REQUIRE(results[i].value().size() == (i % 10 == 3 ? large : 10));
    REQUIRE(results[i]->back() == static_cast<char>('a' + i % 26));
  }
  const auto lengths = do_process_work(std::vector<std::string>(3, std::string(large, 'x')),
                                       [](const std::string& s) { return s.size(); }, {.num_workers = 2});
  for (const auto& length : lengths) CHECK(length.value() == large);
}

TEST_CASE("an item that does not encode, and a result that does not decode, are their own outcome", "[process_work]") {
  const NothingLeftBehind check;
  std::vector<Picky> items;
  for (int i = 0; i < 8; ++i) items.push_back({i});
  const auto results = do_process_work(items,
                                       [](Picky p) {
                                         if (p.n == 6) p.n = 5;
                                         if (p.n == 7) p.n = 3;
                                         return p;
                                       },
                                       {.num_workers = 2});
  for (std::size_t i : {0u, 1u, 2u, 4u}) CHECK(results[i]->n == static_cast<int>(i));
  CHECK(results[3].ending() == Ending::not_serializable);
  CHECK(results[5].ending() == Ending::not_serializable);
  CHECK(results[5].error().what == "five is not for loading");
  CHECK(results[6].ending() == Ending::protocol_error);
  CHECK(results[7].ending() == Ending::not_serializable);
}

TEST_CASE("a task that was cut short by a crash is tried again where that is asked", "[process_work]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(up_to(50),
                                       [](int n) {
                                         if (n % 10 == 0 && this_task()->attempt == 1) crash_by(SIGKILL);
                                         if (n == 11) crash_by(SIGKILL);
                                         return n;
                                       },
                                       {.num_workers = 2, .retry = {.max_retries = 1, .on = {Ending::crashed}}});
  for (std::size_t i = 0; i < 50; ++i) {
    CHECK(results[i].stats().attempts == (i % 10 == 0 || i == 11 ? 2 : 1));
    CHECK(results[i].has_value() == (i != 11));
  }
}

TEST_CASE("a worker_init that fails ends the run after a bounded number of forks, with its reason", "[process_work]") {
  const NothingLeftBehind check;
  int started = 0;
  WorkOptions options{.num_workers = 2, .respawn = {.limit = 3, .period = 10s}};
  options.worker_init = [] { throw std::runtime_error("no licence"); };
  options.on_event = [&](const Event& event) { started += event.kind == EventKind::worker_started; };
  const auto results = do_process_work(
      up_to(10), [](int n) { return n; }, options);
  REQUIRE(results.size() == 10);
  CHECK(started <= 6);
  std::size_t abandoned = 0;
  for (const auto& outcome : results)
    abandoned += outcome.ending() == Ending::abandoned || outcome.ending() == Ending::cancelled;
  CHECK(abandoned == 10);
  CHECK_THAT(results[0].error().what, Catch::Contains("no licence"));
}

TEST_CASE("workers are replaced after the number of tasks that was asked", "[process_work]") {
  const NothingLeftBehind check;
  int exits = 0;
  WorkOptions options{.num_workers = 2, .max_tasks_per_worker = 7};
  options.on_event = [&](const Event& event) { exits += event.kind == EventKind::worker_started; };
  const auto results = do_process_work(
      up_to(100), [](int) { return static_cast<long>(::getpid()); }, options);
  std::map<long, int> tasks;
  for (const auto& outcome : results) ++tasks[outcome.value()];
  for (const auto& [pid, count] : tasks) CHECK(count <= 7);
  CHECK(exits >= 100 / 7);
}

TEST_CASE("every worker runs worker_init before its first task and worker_exit after its last", "[process_work]") {
  const NothingLeftBehind check;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  static int state = 0;
  WorkOptions options{.num_workers = 2};
  options.worker_init = [] { state = 40; };
  options.worker_exit = [&] { static_cast<void>(!::write(ends[1], "x", 1)); };
  int started = 0;
  options.on_event = [&](const Event& event) { started += event.kind == EventKind::worker_started; };
  const auto results = do_process_work(
      up_to(10), [](int n) { return state + n; }, options);
  CHECK(results[2].value() == 42);
  ::close(ends[1]);
  char said[16];
  CHECK(::read(ends[0], said, sizeof said) == started);
  ::close(ends[0]);
}

TEST_CASE("a worker has none of our descriptors but its pipe and its lifeline", "[process_work]") {
  const NothingLeftBehind check;
  const auto before = names_in("/proc/self/fd").size();
  const auto results =
      do_process_work(up_to(8), [](int) { return names_in("/proc/self/fd").size(); }, {.num_workers = 4});
  for (const auto& outcome : results) CHECK(outcome.value() == before + 2);
}

TEST_CASE("work can be nested", "[process_work]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(up_to(4),
                                       [](int n) {
                                         const auto inner = do_process_work(up_to(5),
                                                                            [n](int m) {
                                                                              if (n == 2 && m == 2) crash_by(SIGSEGV);
                                                                              return n * m;
                                                                            },
                                                                            {.num_workers = 2});
                                         int sum = 0;
                                         for (const auto& outcome : inner) sum += outcome ? *outcome : 1000;
                                         return sum;
                                       },
                                       {.num_workers = 2});
  CHECK(results[1].value() == 10);
  CHECK(results[2].value() == 2 * 8 + 1000);
  CHECK(results[3].value() == 30);
}

TEST_CASE("statuses are kept where SIGCHLD was inherited ignored", "[process_work]") {
  std::signal(SIGCHLD, SIG_IGN);
  const auto results = do_process_work(up_to(3),
                                       [](int n) {
                                         if (n == 1) ::_exit(9);
                                         return n;
                                       },
                                       {.num_workers = 1});
  CHECK(results[1].error().exit_code == 9);
  CHECK(std::signal(SIGCHLD, SIG_DFL) == SIG_IGN);
}

TEST_CASE("an exception from on_event ends the run and its workers", "[process_work]") {
  const NothingLeftBehind check;
  WorkOptions options{.num_workers = 2};
  options.on_event = [](const Event& event) {
    if (event.kind == EventKind::task_finished && event.task == 3) throw std::runtime_error("enough");
  };
  CHECK_THROWS_WITH(do_process_work(
                        up_to(100), [](int n) { return n; }, options),
                    "enough");
}
