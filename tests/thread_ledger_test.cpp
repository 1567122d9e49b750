// The books of a crew, without a thread: who has which tasks, what goes back, what is reported.
#include <bulkhead/detail/block_filler.hpp>
#include <bulkhead/detail/thread_crew.hpp>

#include "catch.hpp"
#include "threads/thread_ledger.hpp"

#include <chrono>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;
using detail::ReportKind;
using detail::TaskSpan;
using detail::ThreadLedger;
using detail::ThreadReport;

namespace {

// A ledger with tasks, and a clock that stands still unless it is told otherwise.
struct Books {
  explicit Books(bool announce = false) : ledger(announce) {}

  void put(std::size_t tasks) {
    for (std::size_t i = 0; i < tasks; ++i) filler.put(next++, 1, 0);
    ledger.add(filler.take(now));
  }
  std::vector<ThreadReport> reports() {
    std::vector<ThreadReport> all;
    ledger.take_reports(all);
    return all;
  }
  // Tasks of `each`, put and run one by one, until tiny ones are claimed by the run.
  void prove(ThreadLedger::Hand& hand, std::chrono::nanoseconds each) {
    put(ThreadLedger::proof);
    for (std::uint32_t i = 0; i < ThreadLedger::proof; ++i) {
      REQUIRE(ledger.claim(hand, 1, now));
      REQUIRE_FALSE(hand.is_run);
      ledger.finish(hand, 1, now, now + each);
    }
    reports();
  }
  // And on from there until long runs are claimed.
  void prove_runs(ThreadLedger::Hand& hand, std::chrono::nanoseconds each) {
    prove(hand, each);
    for (put(1024); ledger.waiting() > 0;) {
      REQUIRE(ledger.claim(hand, 1, now));
      const std::uint32_t done = run_all(hand);
      ledger.finish(hand, done, now, now + done * each);
    }
    REQUIRE(hand.run_size >= 64);
    reports();
  }
  static std::uint32_t run_all(ThreadLedger::Hand& hand) {
    std::uint32_t done = 1;
    while (hand.claimed.pop()) ++done;
    return done;
  }

  ThreadLedger ledger;
  detail::BlockFiller<int, int> filler;
  std::size_t next = 0;
  ThreadLedger::Clock::time_point now{1h};
};

}  // namespace

TEST_CASE("tasks are claimed one by one until enough of them were tiny", "[thread ledger]") {
  Books books;
  auto& hand = books.ledger.add_hand(0);
  books.prove(hand, 100ns);
  books.put(64);
  CHECK(books.ledger.mean() == 100ns);
  REQUIRE(books.ledger.claim(hand, 1, books.now));
  CHECK(hand.is_run);
  CHECK(books.ledger.runs() == 1);
  const std::uint32_t done = Books::run_all(hand);
  CHECK(done > 1);
  books.ledger.finish(hand, done, books.now, books.now + done * 100ns);
  CHECK(books.ledger.runs() == 0);
  const auto reports = books.reports();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].kind == ReportKind::finished);
  CHECK(reports[0].done.size() == done);
  CHECK(reports[0].stats.ran_ns == 100);
  CHECK(books.ledger.waiting() == 64 - done);
}

TEST_CASE("one task that was not tiny ends the runs", "[thread ledger]") {
  Books books;
  auto& hand = books.ledger.add_hand(0);
  books.prove_runs(hand, 100ns);
  books.put(8);
  REQUIRE(books.ledger.claim(hand, 1, books.now));
  const std::uint32_t done = Books::run_all(hand);
  books.ledger.finish(hand, done, books.now, books.now + done * 2 * detail::ThreadCrew::tiny);
  REQUIRE(books.ledger.claim(hand, 1, books.now));
  CHECK_FALSE(hand.is_run);
}

TEST_CASE("nobody claims so much that the others get nothing", "[thread ledger]") {
  Books books;
  auto& first = books.ledger.add_hand(0);
  books.prove_runs(first, 100ns);
  books.put(32);
  REQUIRE(books.ledger.claim(first, 4, books.now));
  CHECK(first.claimed.left().size() + 1 == 32 / (2 * 4));
}

TEST_CASE("who finds nothing waiting takes half of what another has not begun", "[thread ledger]") {
  Books books;
  auto& busy = books.ledger.add_hand(0);
  auto& idle = books.ledger.add_hand(1);
  books.prove_runs(busy, 100ns);
  books.put(2);
  REQUIRE(books.ledger.claim(busy, 1, books.now));  // one of two: as many for the others
  REQUIRE(books.ledger.claim(idle, 1, books.now));
  CHECK_FALSE(books.ledger.claim(idle, 1, books.now));
  books.ledger.finish(idle, 1, books.now, books.now + 100ns);

  books.put(64);
  books.ledger.finish(busy, 1, books.now, books.now + 100ns);
  REQUIRE(books.ledger.claim(busy, 1, books.now));
  const std::uint32_t claimed = busy.claimed.left().size();
  REQUIRE(claimed > 1);
  for (auto left = books.ledger.waiting(); left > 0; left = books.ledger.waiting()) {
    REQUIRE(books.ledger.claim(idle, 1, books.now));
    books.ledger.finish(idle, Books::run_all(idle), books.now, books.now + 100ns);
  }
  REQUIRE(books.ledger.claim(idle, 1, books.now));
  CHECK(busy.claimed.left().size() == claimed / 2);
  CHECK(idle.claimed.left().size() + 1 == claimed - claimed / 2);
}

TEST_CASE("a run that stands still is cut: what it has done is reported, the rest waits again", "[thread ledger]") {
  Books books;
  auto& hand = books.ledger.add_hand(0);
  books.prove_runs(hand, 100ns);
  books.put(16);
  REQUIRE(books.ledger.claim(hand, 1, books.now));
  REQUIRE(hand.claimed.pop());  // so the first is done
  const std::uint32_t rest = hand.claimed.left().size();
  REQUIRE(rest > 0);
  const std::size_t waiting = books.ledger.waiting();

  CHECK(books.ledger.look_round(books.now + 1ms));
  auto reports = books.reports();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].done.size() == 1);
  CHECK(books.ledger.waiting() == waiting);  // seen for the first time where it stands

  CHECK(books.ledger.look_round(books.now + 2ms));
  CHECK(books.reports().empty());
  CHECK(books.ledger.waiting() == waiting + rest);
  CHECK(books.ledger.runs() == 0);
  CHECK(hand.claimed.left().size() == 0);

  books.ledger.finish(hand, 2, books.now, books.now + 3ms);
  reports = books.reports();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].done.size() == 1);  // the one that kept it
}

TEST_CASE("what is taken back is what was put and not begun", "[thread ledger]") {
  Books books;
  auto& hand = books.ledger.add_hand(0);
  books.prove_runs(hand, 100ns);
  books.put(16);
  REQUIRE(books.ledger.claim(hand, 1, books.now));
  std::size_t back = 0;
  for (const TaskSpan& span : books.ledger.take_back()) back += span.size();
  CHECK(back == 15);
  CHECK(books.ledger.waiting() == 0);
  CHECK_FALSE(hand.claimed.pop());
  books.ledger.finish(hand, 1, books.now, books.now + 100ns);
  CHECK(books.ledger.news() == 1);
}

TEST_CASE("where starts are reported each task is claimed alone", "[thread ledger]") {
  Books books(true);
  auto& hand = books.ledger.add_hand(3);
  books.put(2 * ThreadLedger::proof);
  for (std::uint32_t i = 0; i < 2 * ThreadLedger::proof; ++i) {
    REQUIRE(books.ledger.claim(hand, 1, books.now));
    REQUIRE_FALSE(hand.is_run);
    books.ledger.finish(hand, 1, books.now, books.now + 100ns);
    const auto reports = books.reports();
    REQUIRE(reports.size() == 2);
    CHECK(reports[0].kind == ReportKind::started);
    CHECK(reports[0].index == i);
    CHECK(reports[0].worker == 3);
    CHECK(reports[1].kind == ReportKind::finished);
  }
}
