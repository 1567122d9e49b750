#include "catch.hpp"
#include "numbers.hpp"

#include <bulkhead/detail/threaded_work.hpp>

#include "single_pass_range.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <latch>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

TEST_CASE("results belong to their items", "[threaded_work]") {
  const std::vector<int> items = up_to(1000);
  const std::size_t workers = GENERATE(0u, 1u, 2u, 7u);
  const auto results = do_threaded_work(items, twice, {.num_workers = workers});
  REQUIRE(results.size() == items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    REQUIRE(results[i].value() == 2 * items[i]);
    CHECK(results[i].stats().attempts == 1);
    CHECK(results[i].stats().peak_rss == 0);
  }
}

TEST_CASE("ordering really orders, and without it results come as they end", "[threaded_work]") {
  std::latch second_done(1);
  const auto first_last = [&](int n) {
    if (n == 0) second_done.wait();
    if (n == 1) second_done.count_down();
    return n;
  };
  const auto ordered = do_threaded_work(std::vector{0, 1}, first_last, 2);
  CHECK(ordered[0].value() == 0);
  CHECK(ordered[1].value() == 1);

  const auto as_they_end = do_threaded_work(up_to(100), twice, 3, 1s, false);
  std::multiset<int> values;
  for (const auto& outcome : as_they_end) values.insert(outcome.value());
  CHECK(values.size() == 100);
  CHECK(*values.rbegin() == 198);
}

TEST_CASE("no items, no outcomes", "[threaded_work]") {
  CHECK(do_threaded_work(std::vector<int>{}, twice).empty());
  CHECK(do_threaded_work(Counter{.last = 0}, twice).empty());
  for (auto& result : threaded_stream(std::vector<int>{}, twice)) FAIL(result.index);
}

TEST_CASE("falsy results are kept and void functions have outcomes", "[threaded_work]") {
  const auto empty = do_threaded_work(up_to(3), [](int) { return std::string(); });
  REQUIRE(empty.size() == 3);
  for (const auto& outcome : empty) CHECK(outcome.value().empty());
  std::atomic<int> calls = 0;
  const auto none = do_threaded_work(up_to(3), [&](int) { ++calls; });
  REQUIRE(none.size() == 3);
  for (const auto& outcome : none) outcome.value();
  CHECK(calls == 3);
}

TEST_CASE("an exception is that item's outcome, whatever was thrown", "[threaded_work]") {
  const auto results = do_threaded_work(up_to(4), [](int n) -> int {
    if (n == 1) throw std::runtime_error("one");
    if (n == 2) throw 2;
    if (n == 3) throw std::bad_alloc();
    return n;
  });
  CHECK(results[0].has_value());
  CHECK(results[1].error().describe() == "std::runtime_error: one");
  CHECK(results[2].error().type == "int");
  CHECK(results[3].ending() == Ending::exception);
  CHECK(results[3].error().type == "std::bad_alloc");
  CHECK_THROWS_AS(results[1].value(), WorkError);
}

TEST_CASE("one thread per item by default: all may wait for each other", "[threaded_work]") {
  std::barrier all(16);
  const auto results = do_threaded_work(up_to(16), [&](int n) {
    all.arrive_and_wait();
    return n;
  });
  CHECK(results.size() == 16);
}

TEST_CASE("no task waits behind one that stands still", "[threaded_work]") {
  constexpr int all = 4000, blocks = 1500;
  const auto workers = GENERATE(2u, 5u);
  std::atomic<int> ended = 0;
  const auto waits_for_all_others = [&](int n) {
    if (n == blocks) {
      for (int seen = ended; seen < all - 1; seen = ended) ended.wait(seen);
    } else if (++ended == all - 1) {
      ended.notify_all();
    }
    return n;
  };
  const auto results = do_threaded_work(up_to(all), waits_for_all_others, {.num_workers = workers});
  REQUIRE(results.size() == all);
  for (const auto& outcome : results) REQUIRE(outcome.has_value());
  CHECK(ended == all - 1);
}

TEST_CASE("what a task cost is told, of tiny ones as a mean", "[threaded_work]") {
  const auto spins = [](int n) {
    const auto end = std::chrono::steady_clock::now() + (n == 0 ? 3ms : 0ms);
    while (std::chrono::steady_clock::now() < end) continue;
    return n;
  };
  const auto results = do_threaded_work(up_to(2000), spins, 2);
  CHECK(results[0].stats().ran >= 3ms);
  for (const auto& outcome : results) {
    CHECK(outcome.stats().ran > 0ns);
    CHECK(outcome.stats().waited >= 0ns);
    CHECK(outcome.stats().attempts == 1);
  }
}

TEST_CASE("an rvalue view does not empty the container it looks at", "[threaded_work]") {
  std::vector<std::string> words(20, "a word that is too long to be stored in place");
  const auto take = [](std::string word) { return word.size(); };
  do_threaded_work(std::span(words), take);
  do_threaded_work(words, take);
  for (const auto& word : words) CHECK(word.size() == 45);
}

TEST_CASE("a stop cancels what was not started and tells what runs", "[threaded_work]") {
  std::stop_source source;
  const auto results = do_threaded_work(up_to(5000),
                                        [&](int n, std::stop_token stop) {
                                          if (n == 10) source.request_stop();
                                          while (n >= 10 && !stop.stop_requested()) std::this_thread::yield();
                                          return n;
                                        },
                                        {.num_workers = 2, .stop = source.get_token()});
  REQUIRE(results.size() == 5000);
  for (std::size_t i = 0; i <= 10; ++i) CHECK(results[i].value() == static_cast<int>(i));
  for (std::size_t i = 12; i < 5000; ++i) REQUIRE(results[i].ending() == Ending::cancelled);
  CHECK(results[4999].stats().attempts == 0);
}

TEST_CASE("a stop ends an endless input", "[threaded_work]") {
  std::stop_source source;
  const auto stop_at_100 = [&](int n) {
    if (n == 100) source.request_stop();
    return n;
  };
  const auto results = do_threaded_work(Counter{}, stop_at_100, {.num_workers = 2, .stop = source.get_token()});
  CHECK(results.size() > 100);
  CHECK(results[100].has_value());
}

TEST_CASE("stop requested beforehand: nothing runs", "[threaded_work]") {
  std::stop_source source;
  source.request_stop();
  const auto results = do_threaded_work(up_to(3), [](int) -> int { throw 1; }, {.stop = source.get_token()});
  REQUIRE(results.size() == 3);
  for (const auto& outcome : results) CHECK(outcome.ending() == Ending::cancelled);
}

TEST_CASE("retries give a failed item whole to another attempt", "[threaded_work]") {
  const auto fails_twice = [](std::string word) {
    const std::string mine = std::move(word);
    if (this_task()->attempt < 3) throw std::runtime_error("not yet");
    return mine;
  };
  const std::vector<std::string> words(10, "a word that is too long to be stored in place");
  const auto results =
      do_threaded_work(words, fails_twice, {.num_workers = 2, .retry = {.max_retries = 2, .delay = 1ms}});
  for (const auto& outcome : results) {
    CHECK(outcome.value() == words[0]);
    CHECK(outcome.stats().attempts == 3);
  }
  const auto given_up = do_threaded_work(words, fails_twice, {.retry = {.max_retries = 1}});
  for (const auto& outcome : given_up) CHECK(outcome.error().what == "not yet");
  const auto other_kind = do_threaded_work(words, fails_twice, {.retry = {.max_retries = 2, .on = {Ending::crashed}}});
  for (const auto& outcome : other_kind) CHECK(outcome.stats().attempts == 1);
}

TEST_CASE("move-only items can be retried if the function leaves them whole", "[threaded_work]") {
  const auto items = [] {
    std::vector<std::unique_ptr<int>> made;
    made.push_back(std::make_unique<int>(5));
    return made;
  };
  const WorkOptions options{.retry = {.max_retries = 1}};
  const auto looks = [](const std::unique_ptr<int>& n) {
    if (this_task()->attempt == 1) throw 1;
    return *n;
  };
  CHECK(do_threaded_work(items(), looks, options)[0].value() == 5);
  CHECK_THROWS_AS(do_threaded_work(
                      items(), [](std::unique_ptr<int> n) { return *n; }, options),
                  std::invalid_argument);
}

TEST_CASE("worker_init and worker_exit run in each thread", "[threaded_work]") {
  std::atomic<int> begun = 0, ended = 0;
  static thread_local bool ready = false;
  const auto results = do_threaded_work(
      up_to(100), [](int) { return ready; },
      {.num_workers = 3, .worker_init = [&] { ready = ++begun > 0; }, .worker_exit = [&] { ++ended; }});
  CHECK(begun == 3);
  CHECK(ended == 3);
  for (const auto& outcome : results) CHECK(outcome.value());
}

TEST_CASE("a thread whose worker_init throws gives up, and if all do the rest is abandoned", "[threaded_work]") {
  std::atomic<int> begun = 0;
  const auto some = do_threaded_work(up_to(100), twice, {.num_workers = 3, .worker_init = [&] {
                                                           if (++begun != 2) throw std::runtime_error("no licence");
                                                         }});
  for (const auto& outcome : some) CHECK(outcome.has_value());
  int died = 0;
  const auto none = do_threaded_work(up_to(100), twice,
                                     {.num_workers = 2,
                                      .worker_init = [] { throw std::runtime_error("no licence"); },
                                      .on_event = [&](const Event& e) { died += e.kind == EventKind::worker_died; }});
  CHECK(died == 2);
  REQUIRE(none.size() == 100);
  for (const auto& outcome : none) {
    CHECK(outcome.ending() == Ending::abandoned);
    CHECK(outcome.error().what.find("no licence") != std::string::npos);
  }
}

TEST_CASE("events tell the story in the driving thread", "[threaded_work]") {
  const auto driver = std::this_thread::get_id();
  bool elsewhere = false;
  std::vector<EventKind> kinds;
  std::map<std::uint64_t, std::vector<EventKind>> of_task;
  std::string output;
  const WorkOptions options{.num_workers = 2, .retry = {.max_retries = 1}, .on_event = [&](const Event& event) {
                              elsewhere |= std::this_thread::get_id() != driver;
                              kinds.push_back(event.kind);
                              if (event.attempt > 0) of_task[event.task].push_back(event.kind);
                              for (std::byte b : event.output) output += static_cast<char>(b);
                            }};
  const auto results = do_threaded_work(
      up_to(20),
      [](int n) {
        if (n == 3 && this_task()->attempt == 1) throw std::runtime_error("once");
        if (n == 4) emit_output(1, std::as_bytes(std::span("hello", 5)));
        return n;
      },
      options);
  CHECK_FALSE(elsewhere);
  CHECK(kinds.front() == EventKind::run_started);
  CHECK(kinds.back() == EventKind::run_finished);
  CHECK(std::count(kinds.begin(), kinds.end(), EventKind::worker_started) == 2);
  using enum EventKind;
  CHECK(of_task[0] == std::vector{task_started, task_finished});
  CHECK(of_task[3] == std::vector{task_started, attempt_lost, task_started, task_finished});
  CHECK(of_task[4] == std::vector{task_started, task_output, task_finished});
  CHECK(output == "hello");
  CHECK(of_task.size() == 20);
}

TEST_CASE("much output neither deadlocks nor grows without bound", "[threaded_work]") {
  std::size_t bytes = 0;
  const std::vector<std::byte> block(300'000);
  do_threaded_work(up_to(30), [&](int) { emit_output(2, block); },
                   {.num_workers = 2, .on_event = [&](const Event& event) { bytes += event.output.size(); }});
  CHECK(bytes == 30 * block.size());
  auto stream = threaded_stream(Counter{},
                                [&](int) {
                                  for (int i = 0; i < 9; ++i) emit_output(1, block);
                                },
                                {.num_workers = 2, .on_event = [](const Event&) {}});
  CHECK(stream.begin()->outcome.has_value());  // destroyed while its threads wait for room
}

TEST_CASE("what on_event throws ends the run and passes", "[threaded_work]") {
  const auto listen = [](const Event& event) {
    if (event.kind == EventKind::task_finished && event.task == 5) throw std::runtime_error("listener");
  };
  CHECK_THROWS_WITH(do_threaded_work(up_to(1000), twice, {.num_workers = 2, .on_event = listen}), "listener");
}

TEST_CASE("this_task names the item, and is nothing outside", "[threaded_work]") {
  CHECK_FALSE(this_task());
  CHECK_THROWS_AS(emit_output(1, {}), std::logic_error);
  const auto results = do_threaded_work(
      up_to(50), [](int) { return this_task()->index; }, 3);
  for (std::size_t i = 0; i < 50; ++i) CHECK(results[i].value() == i);
  CHECK_FALSE(this_task());
}

TEST_CASE("threads within threads", "[threaded_work]") {
  const auto results = do_threaded_work(
      up_to(8),
      [](int n) {
        int sum = 0;
        for (const auto& outcome : do_threaded_work(up_to(n), twice, 2)) sum += outcome.value();
        return sum + static_cast<int>(this_task()->index);
      },
      3);
  for (int n = 0; n < 8; ++n) CHECK(results[static_cast<std::size_t>(n)].value() == n * (n - 1) + n);
}

TEST_CASE("a wait that times out is a heartbeat and no more", "[threaded_work]") {
  std::latch beaten(2);
  int beats = 0;
  const auto results = do_threaded_work(up_to(1),
                                        [&](int n) {
                                          beaten.wait();
                                          return n;
                                        },
                                        {.per_sync_timeout = 1ms, .on_event = [&](const Event& event) {
                                           if (event.kind == EventKind::heartbeat && ++beats <= 2) beaten.count_down();
                                         }});
  CHECK(results[0].has_value());
}

TEST_CASE("what threads cannot honour is refused by name", "[threaded_work]") {
  const auto refused = [](const char* name, const WorkOptions& options) {
    CHECK_THROWS_AS(do_threaded_work(std::vector{1}, twice, options), std::invalid_argument);
    CHECK_THROWS_WITH(threaded_stream(std::vector{1}, twice, options), Catch::Contains(name));
  };
  refused("WorkOptions::task_timeout", {.task_timeout = 1s});
  refused("WorkOptions::memory_limit", {.memory_limit = 1});
  refused("WorkOptions::cpu_time", {.cpu_time = 1s});
  refused("WorkOptions::file_size", {.file_size = 1});
  refused("WorkOptions::open_files", {.open_files = 1});
  refused("WorkOptions::isolation", {.isolation = Isolation::strict});
  refused("WorkOptions::isolation", {.isolation = Isolation::pid});
  refused("WorkOptions::max_tasks_per_worker", {.max_tasks_per_worker = 1});
  refused("WorkOptions::max_item_bytes", {.max_item_bytes = 1});
  refused("WorkOptions::max_result_bytes", {.max_result_bytes = 1});
  refused("WorkOptions::per_sync_timeout", {.per_sync_timeout = 0ms});
}

TEST_CASE("workers that all give up are noticed at once, events or not", "[threaded_work]") {
  const auto none = do_threaded_work(up_to(100), twice, {.num_workers = 2, .per_sync_timeout = 24h, .worker_init = [] {
                                                           throw std::runtime_error("no licence");
                                                         }});
  for (const auto& outcome : none) CHECK(outcome.ending() == Ending::abandoned);
}

TEST_CASE("a stop is noticed however long one wait may be", "[threaded_work]") {
  for (int round = 0; round < 200; ++round) {
    std::stop_source source;
    const auto stop_at = [&](int n) {
      if (n == round) source.request_stop();
      return n;
    };
    const auto results =
        do_threaded_work(up_to(300), stop_at, {.num_workers = 2, .per_sync_timeout = 24h, .stop = source.get_token()});
    REQUIRE(results.size() == 300);
  }
}
