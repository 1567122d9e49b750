// Outcomes that wait for their turn, and what is expected to.
#include <bulkhead/detail/reorder.hpp>

#include "catch.hpp"

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

using namespace bulkhead;
using detail::Reorder;

TEST_CASE("outcomes leave in the order of their tasks, however they came", "[reorder]") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::vector<int> tasks(3000);
  std::iota(tasks.begin(), tasks.end(), 0);
  std::shuffle(tasks.begin(), tasks.end(), std::mt19937(seed));
  Reorder<int> waiting;
  int next = 0;
  for (const int task : tasks) {
    waiting.put(static_cast<std::uint64_t>(task), Outcome<int>(task, TaskStats{}), 10);
    for (Outcome<int> outcome; waiting.take_front(outcome);) REQUIRE(outcome.value() == next++);
  }
  CHECK(next == 3000);
  CHECK(waiting.bytes() == 0);
}

TEST_CASE("what is on its way is expected to be as large as what has come", "[reorder]") {
  Reorder<int> waiting;
  CHECK(waiting.bytes_expected(50) == 0);  // nothing is known
  for (std::uint64_t task = 1; task <= 40; ++task) waiting.put(task, Outcome<int>(1, TaskStats{}), 1 << 20);
  CHECK(waiting.bytes() == 40u << 20);
  const std::size_t more = waiting.bytes_expected(61) - waiting.bytes();  // 0, and 41 to 60
  CHECK(more > 20u << 20);
  CHECK(more <= 21u << 20);
}
