#include "catch.hpp"

#include <bulkhead/threaded_worker.hpp>

#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>

#include <latch>
#include <list>
#include <memory>
#include <set>
#include <string>

using bulkhead::Ending;
using bulkhead::Outcome;
using bulkhead::ThreadedWorker;
using bulkhead::WorkQueue;
using namespace std::chrono_literals;

namespace {

template <class R>
std::vector<Outcome<R>> take_all(WorkQueue<Outcome<R>>& queue) {
  std::vector<Outcome<R>> taken;
  while (auto outcome = queue.get(0ms)) taken.push_back(std::move(*outcome));
  return taken;
}

// Collects what spdlog's default logger says for as long as it lives.
class LogCapture {
 public:
  LogCapture() : before_(spdlog::default_logger()), sink_(std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(64)) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("captured", sink_));
  }
  ~LogCapture() { spdlog::set_default_logger(before_); }
  bool has(const std::string& words) {
    for (const std::string& line : sink_->last_formatted())
      if (line.find(words) != std::string::npos) return true;
    return false;
  }

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink_;
};

}  // namespace

TEST_CASE("workers share a queue, each item is worked on once", "[threaded_worker]") {
  WorkQueue<int> work;
  WorkQueue<Outcome<int>> results;
  for (int i = 0; i < 200; ++i) work.put(i);
  std::list<ThreadedWorker<int, int>> workers;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back(
        work, results, [](int n) { return n * 2; }, true, 1ms);
  for (auto& worker : workers) worker.start();
  work.join();
  for (auto& worker : workers) worker.join();
  std::multiset<int> values;
  for (auto& outcome : take_all(results)) values.insert(outcome.value());
  CHECK(values.size() == 200);
  for (int i = 0; i < 200; ++i) CHECK(values.count(i * 2) == 1);
}

TEST_CASE("class template arguments are deduced from the queues", "[threaded_worker]") {
  WorkQueue<std::string> work;
  WorkQueue<Outcome<std::size_t>> results;
  work.put("four");
  ThreadedWorker worker(work, results, &std::string::size);
  worker.start();
  worker.join();
  CHECK(results.get(0ms)->value() == 4);
}

TEST_CASE("falsy results are kept", "[threaded_worker]") {
  WorkQueue<int> work;
  WorkQueue<Outcome<std::string>> results;
  for (int i = 0; i < 3; ++i) work.put(i);
  ThreadedWorker worker(work, results, [](int) { return std::string(); });
  worker.start();
  worker.join();
  const auto all = take_all(results);
  REQUIRE(all.size() == 3);
  for (const auto& outcome : all) CHECK(outcome.value().empty());
}

TEST_CASE("what the function throws is that item's outcome", "[threaded_worker]") {
  WorkQueue<int> work;
  WorkQueue<Outcome<void>> results;
  for (int i = 0; i < 3; ++i) work.put(i);
  ThreadedWorker worker(work, results, [](int n) {
    if (n == 0) throw std::out_of_range("no row 0");
    if (n == 1) throw 42;
  });
  worker.start();
  work.join();
  worker.join();
  const auto all = take_all(results);
  REQUIRE(all.size() == 3);
  CHECK(all[0].ending() == Ending::exception);
  CHECK(all[0].error().type == "std::out_of_range");
  CHECK(all[0].error().what == "no row 0");
  CHECK(all[1].error().type == "int");
  CHECK(all[2].has_value());
  CHECK_THROWS_AS(work.task_done(), std::logic_error);  // each item was reported done exactly once
}

TEST_CASE("move-only items, results and functions pass through", "[threaded_worker]") {
  WorkQueue<std::unique_ptr<int>> work;
  WorkQueue<Outcome<std::unique_ptr<int>>> results;
  work.put(std::make_unique<int>(20));
  ThreadedWorker worker(work, results, [extra = std::make_unique<int>(3)](std::unique_ptr<int> n) {
    *n += *extra;
    return n;
  });
  worker.start();
  worker.join();
  CHECK(*results.get(0ms)->value() == 23);
}

TEST_CASE("a time-out is logged, waited again and marks nothing done", "[threaded_worker]") {
  LogCapture log;
  WorkQueue<int> work;
  WorkQueue<Outcome<int>> results;
  ThreadedWorker worker(
      work, results, [](int n) { return n; }, false, 1ms);
  worker.start();
  while (!log.has("waiting again")) std::this_thread::yield();
  work.put(5);
  const auto outcome = results.get(60s);
  REQUIRE(outcome);
  CHECK(outcome->value() == 5);
  work.join();
  CHECK_THROWS_AS(work.task_done(), std::logic_error);
  CHECK(worker.should_continue_running());
  worker.stop();
  worker.join();
  CHECK_FALSE(worker.should_continue_running());
  CHECK(log.has("[warning]"));
}

TEST_CASE("results wait for room in a full result queue", "[threaded_worker]") {
  LogCapture log;
  WorkQueue<int> work;
  WorkQueue<Outcome<int>> results(1);
  for (int i = 0; i < 4; ++i) work.put(i);
  ThreadedWorker worker(
      work, results, [](int n) { return n; }, true, 1ms);
  worker.start();
  while (!log.has("result queue stayed full")) std::this_thread::yield();
  for (int i = 0; i < 4; ++i) CHECK(results.get(60s)->value() == i);
  worker.join();
  work.join();
}

TEST_CASE("the destructor ends a worker whose result nobody takes, and the result is not lost", "[threaded_worker]") {
  WorkQueue<int> work;
  WorkQueue<Outcome<int>> results(1);
  for (int i = 0; i < 10; ++i) work.put(i);
  std::latch second_begun(1);
  {
    ThreadedWorker worker(
        work, results,
        [&](int n) {
          if (n == 1) second_begun.count_down();
          return n;
        },
        false, std::chrono::milliseconds::max());
    worker.start();
    second_begun.wait();
  }
  const auto all = take_all(results);
  REQUIRE(all.size() == 2);
  CHECK(all[1].value() == 1);
}

TEST_CASE("the destructor ends a worker that waits for work, however long its time-out", "[threaded_worker]") {
  WorkQueue<int> work;
  WorkQueue<Outcome<int>> results;
  {
    ThreadedWorker worker(
        work, results, [](int n) { return n; }, false, 24h);
    worker.start();
  }
  CHECK(results.empty());
}

TEST_CASE("several workers race for the last item: the others end", "[threaded_worker]") {
  for (int round = 0; round < 50; ++round) {
    WorkQueue<int> work;
    WorkQueue<Outcome<int>> results;
    work.put(round);
    std::list<ThreadedWorker<int, int>> workers;
    for (int i = 0; i < 4; ++i)
      workers.emplace_back(
          work, results, [](int n) { return n; }, true, 1ms);
    for (auto& worker : workers) worker.start();
    for (auto& worker : workers) worker.join();
    CHECK(take_all(results).size() == 1);
    CHECK_THROWS_AS(work.task_done(), std::logic_error);
  }
}

TEST_CASE("a function that takes a stop token is told", "[threaded_worker]") {
  WorkQueue<int> work;
  WorkQueue<Outcome<int>> results;
  work.put(1);
  std::latch begun(1);
  ThreadedWorker worker(
      work, results,
      [&](int n, std::stop_token stop) {
        begun.count_down();
        while (!stop.stop_requested()) std::this_thread::yield();
        return n;
      },
      false);
  worker.start();
  begun.wait();
  worker.stop();
  worker.join();
  CHECK(results.get(0ms)->value() == 1);
}

TEST_CASE("a worker out of its life cycle says so", "[threaded_worker]") {
  WorkQueue<int> work;
  WorkQueue<Outcome<int>> results;
  const auto same = [](int n) { return n; };
  ThreadedWorker worker(work, results, same);
  CHECK_THROWS_AS(worker.join(), std::logic_error);
  worker.start();
  CHECK_THROWS_AS(worker.start(), std::logic_error);
  worker.join();
  worker.join();
  CHECK_THROWS_AS(ThreadedWorker(work, results, same, true, 0ms), std::invalid_argument);
}
