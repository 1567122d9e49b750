// What the tasks of a threaded run lie in: what came of each is owned once, and blocks are filled again once all of
// theirs is settled.
#include <bulkhead/detail/block_filler.hpp>
#include <bulkhead/detail/task_block.hpp>

#include "catch.hpp"

#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

using namespace bulkhead;
using detail::BlockFiller;
using detail::Made;
using detail::PackedStats;

namespace {

PackedStats third_attempt() {
  PackedStats stats;
  stats.ending = Ending::value;
  stats.attempts = 3;
  stats.ran_ns = 500;
  return stats;
}

using Filler = BlockFiller<std::string, int>;

std::vector<detail::TaskSpan> take(Filler& filler) { return filler.take(std::chrono::steady_clock::time_point()); }

}  // namespace

TEST_CASE("what came of a task is moved out with what it cost, and nothing is left", "[task block]") {
  Made<std::shared_ptr<int>> made;
  const auto owned = std::make_shared<int>(7);
  made.set([&] { return owned; });
  CHECK(owned.use_count() == 2);
  CHECK(made.has_value());
  {
    const Outcome<std::shared_ptr<int>> outcome = made.take(third_attempt());
    CHECK(outcome.value() == owned);
    CHECK(outcome.stats().attempts == 3);
    CHECK(outcome.stats().ran == std::chrono::nanoseconds(500));
  }
  CHECK_FALSE(made.has_value());
  CHECK(owned.use_count() == 1);
  made.set([&] { return owned; });  // and the place is used again
  CHECK(made.take(third_attempt()).value() == owned);
}

TEST_CASE("a failure keeps its words and has the cost of its attempt", "[task block]") {
  Made<void> made;
  made.fail(Failure{.ending = Ending::exception, .type = {}, .what = "no such row", .backtrace = {}});
  const Outcome<void> outcome = made.take(third_attempt());
  CHECK(outcome.ending() == Ending::exception);
  CHECK(outcome.error().what == "no such row");
  CHECK(outcome.stats().attempts == 3);
  made.set([] { return std::monostate(); });
  CHECK(made.take(third_attempt()).has_value());
}

TEST_CASE("a value that is not to be had leaves its place empty", "[task block]") {
  Made<std::string> made;
  CHECK_THROWS_AS(made.set([]() -> std::string { throw std::runtime_error("no"); }), std::runtime_error);
  CHECK_FALSE(made.has_value());
  CHECK(made.take(third_attempt()).ending() == Ending::abandoned);
}

TEST_CASE("what was never taken is destroyed with its block", "[task block]") {
  const auto owned = std::make_shared<int>(1);
  {
    Made<std::shared_ptr<int>> value, failure;
    value.set([&] { return owned; });
    failure.fail(Failure{});
  }
  CHECK(owned.use_count() == 1);
}

TEST_CASE("first attempts lie together, and so do those that are tried again, in any order", "[task block]") {
  Filler filler;
  filler.put(0, 1, "first");
  filler.put(40, 2, "again");
  filler.put(1, 1, "first");
  filler.put(7, 3, "again");
  filler.put(2, 1, "first");
  const auto spans = take(filler);
  REQUIRE(spans.size() == 2);
  for (std::uint32_t i = 0; i < 3; ++i) {
    CHECK(spans[0].block->index(spans[0].first + i) == i);
    CHECK(spans[0].block->attempt(spans[0].first + i) == 1);
  }
  REQUIRE(spans[1].size() == 2);
  CHECK(spans[1].block->index(0) == 40);
  CHECK(spans[1].block->attempt(0) == 2);
  CHECK(spans[1].block->index(1) == 7);
  CHECK(spans[1].block->attempt(1) == 3);
}

TEST_CASE("a first attempt that does not follow the one before begins a block", "[task block]") {
  Filler filler;
  filler.put(0, 1, "first");
  filler.put(5, 1, "not the next");
  const auto spans = take(filler);
  REQUIRE(spans.size() == 2);
  CHECK(spans[0].block->index(spans[0].first) == 0);
  CHECK(spans[1].block->index(spans[1].first) == 5);
}

TEST_CASE("blocks are filled again once all of theirs is settled, however it was handed over", "[task block]") {
  Filler filler;
  std::set<const void*> blocks;
  std::size_t index = 0;
  for (int round = 0; round < 1000; ++round) {
    const std::size_t tasks = static_cast<std::size_t>(round) % 150;
    for (std::size_t i = 0; i < tasks; ++i)
      if (i % 7 == 6)
        filler.put(1'000'000 - i, 2, "item");
      else
        filler.put(index++, 1, "item");
    for (const auto& span : take(filler)) {
      auto& block = Filler::block_of(span);
      blocks.insert(&block);
      for (auto place = span.first; place < span.last; ++place) REQUIRE(*block.items[place] == "item");
      filler.settle(block, span.size() / 2);
      filler.settle(block, span.size() - span.size() / 2);
    }
  }
  CHECK(blocks.size() <= 6);  // of each kind what 149 tasks need, and those that were being filled
}
