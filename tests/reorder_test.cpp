// Outcomes that wait for their turn, and what is expected to.
#include <bulkhead/detail/reorder.hpp>

#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
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

namespace {

struct Large {
  std::array<int, 200> numbers{};
  Large() = default;
  explicit Large(int n) { numbers.fill(n); }
};

template <class R>
R made(std::uint64_t n) {
  if constexpr (std::is_same_v<R, std::string>)
    return std::string(1 + n % 40, static_cast<char>('a' + n % 26));
  else if constexpr (std::is_same_v<R, std::unique_ptr<int>>)
    return std::make_unique<int>(static_cast<int>(n));
  else
    return R(static_cast<int>(n));
}

template <class R>
bool is_made(const R& value, std::uint64_t n) {
  if constexpr (std::is_same_v<R, std::unique_ptr<int>>)
    return value && *value == static_cast<int>(n);
  else if constexpr (std::is_same_v<R, Large>)
    return value.numbers == made<Large>(n).numbers;
  else
    return value == made<R>(n);
}

// What happens to it, and a map that says what must come of that.
template <class R>
class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {}

  void happen() {
    switch (random_() % 8) {
      case 0:
        return put(front_ + random_() % 5000);  // far ahead, and the ring grows wherever its front stands
      case 1:
        return pass();
      default:
        return random_() % 3 == 0 ? take() : put(front_ + random_() % 150);
    }
  }
  void take_all() {
    while (!waiting_.empty()) {
      take();
      if (!waiting_.empty() && !waiting_.contains(front_)) pass();
    }
    CHECK(reorder_.bytes() == 0);
  }

 private:
  static std::uint32_t bytes_of(std::uint64_t task) { return static_cast<std::uint32_t>(task % 100); }

  void put(std::uint64_t task) {
    if (!waiting_.insert(task).second) return;
    reorder_.put(task, Outcome<R>(made<R>(task), TaskStats{}), bytes_of(task));
    bytes_ += bytes_of(task);
  }
  void take() {
    Outcome<R> outcome;
    while (reorder_.take_front(outcome)) {
      REQUIRE(waiting_.erase(front_) == 1);
      REQUIRE(is_made(outcome.value(), front_));
      bytes_ -= bytes_of(front_++);
      REQUIRE(reorder_.bytes() == bytes_);
    }
    REQUIRE_FALSE(waiting_.contains(front_));
    REQUIRE(reorder_.is_next(front_));
  }
  // Up to the next that is here, or past some that are not: by themselves, or after they were held somewhere else.
  void pass() {
    const std::uint64_t room = waiting_.empty() ? 200 : *waiting_.begin() - front_;
    const std::size_t count = room == 0 ? 0 : 1 + random_() % room;
    if (random_() % 2 == 0) {
      reorder_.pass_front(count);
    } else {
      reorder_.note_held(count, 7);
      REQUIRE(reorder_.bytes() == bytes_ + 7 * count);
      reorder_.pass_held(count, 7);
    }
    front_ += count;
  }

  std::mt19937 random_;
  Reorder<R> reorder_;
  std::set<std::uint64_t> waiting_;
  std::uint64_t front_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

TEMPLATE_TEST_CASE("whatever comes in whatever order leaves once, whole and in turn", "[reorder]", int, std::string,
                   std::unique_ptr<int>, Large) {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  Model<TestType> model(seed);
  for (int i = 0; i < 20'000; ++i) model.happen();
  model.take_all();
}
