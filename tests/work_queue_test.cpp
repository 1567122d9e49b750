#include "catch.hpp"

#include <bulkhead/threaded_worker.hpp>

#include <future>
#include <memory>
#include <numeric>
#include <vector>

using bulkhead::WorkQueue;
using namespace std::chrono_literals;

TEST_CASE("a work queue gives items back in the order they came", "[work_queue]") {
  WorkQueue<int> queue;
  REQUIRE(queue.empty());
  queue.put(1);
  REQUIRE(queue.put(2, 0ms));
  const int three = 3;
  REQUIRE(queue.put(three, 0ms));
  CHECK_FALSE(queue.empty());
  CHECK(queue.get(0ms) == 1);
  CHECK(queue.get(0ms) == 2);
  CHECK(queue.get(0ms) == 3);
  CHECK(queue.get(0ms) == std::nullopt);
  CHECK(queue.get(-5ms) == std::nullopt);
}

TEST_CASE("get waits for its time-out and no less", "[work_queue]") {
  WorkQueue<int> queue;
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(queue.get(20ms));
  CHECK(std::chrono::steady_clock::now() - start >= 20ms);
}

TEST_CASE("a full queue refuses after the time-out and leaves the value whole", "[work_queue]") {
  WorkQueue<std::unique_ptr<int>> queue(1);
  queue.put(std::make_unique<int>(1));
  auto second = std::make_unique<int>(2);
  CHECK_FALSE(queue.put(std::move(second), 1ms));
  REQUIRE(second);
  CHECK(**queue.get(0ms) == 1);
  CHECK(queue.put(std::move(second), 1ms));
  CHECK_FALSE(second);
  CHECK(**queue.get(0ms) == 2);
}

TEST_CASE("an endless time-out does not overflow the clock", "[work_queue]") {
  WorkQueue<int> queue(1);
  auto taken = std::async(std::launch::async, [&] { return queue.get(std::chrono::milliseconds::max()); });
  queue.put(7);
  CHECK(taken.get() == 7);
  CHECK(queue.put(8, std::chrono::milliseconds::max()));
}

TEST_CASE("task_done called too often is an error", "[work_queue]") {
  WorkQueue<int> queue;
  CHECK_THROWS_AS(queue.task_done(), std::logic_error);
  queue.put(1);
  queue.task_done();
  CHECK_THROWS_AS(queue.task_done(), std::logic_error);
}

TEST_CASE("join returns once every item is done, not once the queue is empty", "[work_queue]") {
  WorkQueue<int> queue;
  queue.join();
  queue.put(1);
  queue.put(2);
  auto joined = std::async(std::launch::async, [&] { queue.join(); });
  REQUIRE(queue.get(0ms));
  REQUIRE(queue.get(0ms));
  CHECK(queue.empty());
  CHECK(joined.wait_for(0s) == std::future_status::timeout);
  queue.task_done();
  CHECK(joined.wait_for(0s) == std::future_status::timeout);
  queue.task_done();
  joined.get();
}

TEST_CASE("a put that waits for room goes on when an item is taken", "[work_queue]") {
  WorkQueue<int> queue(2);
  auto producer = std::async(std::launch::async, [&] {
    for (int i = 0; i < 1000; ++i) queue.put(i);
  });
  for (int i = 0; i < 1000; ++i) REQUIRE(queue.get(60s) == i);
  producer.get();
}

TEST_CASE("many producers and consumers lose and double nothing", "[work_queue]") {
  constexpr int each = 2000;
  WorkQueue<int> queue(3);
  std::vector<std::future<void>> producers;
  std::vector<std::future<long>> consumers;
  for (int p = 0; p < 3; ++p) {
    producers.push_back(std::async(std::launch::async, [&queue, p] {
      for (int i = 0; i < each; ++i) queue.put(p * each + i);
    }));
    consumers.push_back(std::async(std::launch::async, [&queue] {
      long sum = 0;
      for (int i = 0; i < each; ++i) {
        sum += queue.get(60s).value();
        queue.task_done();
      }
      return sum;
    }));
  }
  for (auto& producer : producers) producer.get();
  queue.join();
  long sum = 0;
  for (auto& consumer : consumers) sum += consumer.get();
  CHECK(sum == 3L * each * (3L * each - 1) / 2);
  CHECK(queue.empty());
}
