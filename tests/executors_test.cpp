// One suite, two executors: what do_threaded_work and do_process_work, and their streams, have in common.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "executors.hpp"
#include "left_behind.hpp"
#include "numbers.hpp"
#include "single_pass_range.hpp"

#include <map>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

TEMPLATE_TEST_CASE("every item has its outcome in its place", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  const int workers = GENERATE(1, 2, 8);
  for (int count : {0, 1, workers - 1, workers, workers + 1, 4097}) {
    const auto results =
        TestType::work(up_to(count), [](int n) { return 3 * n; }, {.num_workers = std::size_t(workers)});
    REQUIRE(results.size() == static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      REQUIRE(results[static_cast<std::size_t>(i)].value() == 3 * i);
      REQUIRE(results[static_cast<std::size_t>(i)].stats().attempts == 1);
    }
  }
}

TEMPLATE_TEST_CASE("a stream gives results in order", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  std::size_t next = 0;
  for (auto& [index, outcome] : TestType::stream(up_to(20'000), [](int n) { return n + 1; }, {.num_workers = 3})) {
    REQUIRE(index == next);
    REQUIRE(*outcome == static_cast<int>(next) + 1);
    ++next;
  }
  CHECK(next == 20'000);
}

TEMPLATE_TEST_CASE("unordered results carry their index", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  std::vector<bool> seen(5'000);
  for (auto& [index, outcome] : TestType::stream(up_to(5'000), [](int n) { return -n; },
                                                 {.num_workers = 2, .preserve_result_ordering = false})) {
    REQUIRE_FALSE(seen[index]);
    seen[index] = true;
    REQUIRE(*outcome == -static_cast<int>(index));
  }
  CHECK(std::find(seen.begin(), seen.end(), false) == seen.end());
}

TEMPLATE_TEST_CASE("an exception is that item's outcome", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  const auto results = TestType::work(up_to(100),
                                      [](int n) {
                                        if (n == 7) throw std::runtime_error("seven");
                                        if (n == 8) throw 8;
                                        return n;
                                      },
                                      {.num_workers = 2});
  for (std::size_t i = 0; i < 100; ++i) {
    if (i == 7 || i == 8) continue;
    REQUIRE(results[i].value() == static_cast<int>(i));
  }
  REQUIRE(results[7].ending() == Ending::exception);
  CHECK(results[7].error().type == "std::runtime_error");
  CHECK(results[7].error().what == "seven");
  CHECK(results[8].ending() == Ending::exception);
  CHECK(results[8].error().type == "int");
}

TEMPLATE_TEST_CASE("falsy, empty and void results are kept", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  const std::vector<std::string> words{"", "a", ""};
  const auto same = TestType::work(words, [](const std::string& word) { return word; }, {.num_workers = 2});
  REQUIRE(same.size() == 3);
  CHECK(same[0].value().empty());
  CHECK(same[1].value() == "a");
  const auto nothing = TestType::work(words, [](const std::string&) {}, {.num_workers = 2});
  REQUIRE(nothing.size() == 3);
  for (const auto& outcome : nothing) CHECK(outcome.has_value());
  const auto zero = TestType::work(words, [](const std::string&) { return false; }, {.num_workers = 2});
  CHECK_FALSE(zero[0].value());
}

TEMPLATE_TEST_CASE("closures carry state, and containers travel", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  using Row = std::tuple<int, std::vector<double>, std::optional<std::string>>;
  const std::map<int, std::string> names{{1, "one"}, {2, "two"}};
  const std::vector<Row> rows{{1, {0.5, 1.5}, std::nullopt}, {2, {}, "given"}};
  const auto results = TestType::work(rows,
                                      [&names](const Row& row) {
                                        const auto& [key, values, word] = row;
                                        return std::pair(names.at(key) + word.value_or("?"), values);
                                      },
                                      {.num_workers = 2});
  CHECK(results[0].value() == std::pair(std::string("one?"), std::vector{0.5, 1.5}));
  CHECK(results[1].value() == std::pair(std::string("twogiven"), std::vector<double>{}));
}

TEMPLATE_TEST_CASE("a failed task is tried again as often as was asked", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  const auto results = TestType::work(up_to(10),
                                      [](int n) {
                                        if (n == 3 && this_task()->attempt < 3) throw std::runtime_error("not yet");
                                        if (n == 4) throw std::runtime_error("never");
                                        return n;
                                      },
                                      {.num_workers = 2, .retry = {.max_retries = 2, .delay = 1ms}});
  CHECK(results[3].value() == 3);
  CHECK(results[3].stats().attempts == 3);
  CHECK(results[4].ending() == Ending::exception);
  CHECK(results[4].stats().attempts == 3);
  CHECK(results[5].stats().attempts == 1);
}

TEMPLATE_TEST_CASE("an endless input is pulled as results are taken", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  std::uint64_t taken = 0;
  auto stream =
      TestType::stream(std::views::iota(std::uint64_t{0}), [](std::uint64_t n) { return n * n; }, {.num_workers = 2});
  for (auto& [index, outcome] : stream) {
    REQUIRE(*outcome == index * index);
    if (++taken == 10'000) break;
  }
  CHECK(taken == 10'000);
}

TEMPLATE_TEST_CASE("what came before an input that throws is delivered", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  auto items = std::views::iota(0, 100) | std::views::transform([](int n) {
                 if (n == 50) throw std::runtime_error("no more input");
                 return n;
               });
  int delivered = 0;
  const auto consume = [&] {
    for (auto& [index, outcome] : TestType::stream(items, [](int n) { return n; }, {.num_workers = 2})) {
      REQUIRE(*outcome == static_cast<int>(index));
      ++delivered;
    }
  };
  CHECK_THROWS_WITH(consume(), "no more input");
  CHECK(delivered == 50);
}

TEMPLATE_TEST_CASE("events tell a run from start to end", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  std::map<EventKind, int> seen;
  const auto results = TestType::work(up_to(20), [](int n) { return n; },
                                      {.num_workers = 2, .on_event = [&](const Event& event) { ++seen[event.kind]; }});
  CHECK(results.size() == 20);
  CHECK(seen[EventKind::run_started] == 1);
  CHECK(seen[EventKind::task_started] == 20);
  CHECK(seen[EventKind::task_finished] == 20);
  CHECK(seen[EventKind::run_finished] == 1);
  CHECK(seen[EventKind::worker_started] >= 1);
}

TEMPLATE_TEST_CASE("a task can speak before it ends", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  std::map<std::uint64_t, std::string> said;
  const auto on_event = [&](const Event& event) {
    if (event.kind != EventKind::task_output) return;
    REQUIRE(event.channel == 2);
    said[event.task].append(reinterpret_cast<const char*>(event.output.data()), event.output.size());
  };
  const auto say = [](int n) {
    const std::string words = "this is " + std::to_string(n) + ". ";
    emit_output(2, std::as_bytes(std::span(words)));
    emit_output(2, std::as_bytes(std::span(words)));
    return n;
  };
  TestType::work(up_to(50), say, {.num_workers = 2, .on_event = on_event});
  REQUIRE(said.size() == 50);
  CHECK(said[7] == "this is 7. this is 7. ");
}

TEMPLATE_TEST_CASE("each start is told once, before anything else of its task", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  std::map<std::uint64_t, int> begun;
  bool in_order = true;
  const auto on_event = [&](const Event& event) {
    if (event.kind == EventKind::task_started) ++begun[event.task];
    if (event.kind == EventKind::task_output || event.kind == EventKind::task_finished)
      in_order = in_order && begun[event.task] == 1;
  };
  const auto say = [](int n) {  // results that wait for their batch stand before the words of a later task
    if (n % 3 == 0) emit_output(1, std::as_bytes(std::span("words")));
    return n;
  };
  const auto results = TestType::work(up_to(2000), say, {.num_workers = 2, .on_event = on_event});
  CHECK(in_order);
  CHECK(begun.size() == 2000);
  REQUIRE(results.size() == 2000);
  for (std::size_t i = 0; i < results.size(); ++i) REQUIRE(results[i].value() == static_cast<int>(i));
}

TEMPLATE_TEST_CASE("a stopped run ends, with an outcome for every item", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  std::stop_source source;
  WorkOptions options{.num_workers = 2, .kill_grace = 100ms, .stop = source.get_token()};
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::task_finished && event.task == 5) source.request_stop();
  };
  const auto results = TestType::work(
      up_to(100),
      [](int n, std::stop_token stop) {
        if (n < 6) return n;
        while (!stop.stop_requested()) std::this_thread::yield();
        throw std::runtime_error("told to stop");
        return n;
      },
      options);
  REQUIRE(results.size() == 100);
  CHECK(results[5].value() == 5);
  CHECK(results[99].ending() == Ending::cancelled);
  for (const auto& outcome : results)
    CHECK((outcome.has_value() || outcome.ending() == Ending::cancelled || outcome.ending() == Ending::exception));
}

TEMPLATE_TEST_CASE("options that cannot be meant are refused by name", "[executors]", Threads, Processes) {
  const NothingLeftBehind check;
  const auto with = [](WorkOptions options) {
    return TestType::work(
        std::vector<int>{1}, [](int n) { return n; }, options);
  };
  CHECK_THROWS_AS(with({.per_sync_timeout = 0ms}), std::invalid_argument);
  CHECK_THROWS_AS(with({.task_timeout = -1ms}), std::invalid_argument);
  CHECK_THROWS_AS(with({.retry = {.max_retries = 70000}}), std::invalid_argument);
  CHECK_THROWS_AS(with({.max_item_bytes = 0}), std::invalid_argument);
}
