// When a run stops early, and with which status it ends.
#include "catch.hpp"

#include "output/summary.hpp"
#include "rules/halt.hpp"

using namespace bulkhead::tool;

TEST_CASE("halt policies as they are written", "[halt]") {
  const auto policy = parse_halt("now,fail=1");
  REQUIRE(policy.has_value());
  CHECK(policy->when == HaltPolicy::When::now);
  CHECK(policy->what == HaltPolicy::What::fail);
  CHECK(policy->count == 1);
  CHECK(parse_halt("soon,success=30%")->needs_total());
  CHECK(parse_halt("soon,done=5")->what == HaltPolicy::What::done);
  CHECK(parse_halt("never")->when == HaltPolicy::When::never);
  for (const char* bad : {"", "now", "now,", "now,fail", "now,fail=", "now,fail=0", "now,fail=-1", "now,fail=101%",
                          "later,fail=1", "now,fails=1", "now,fail=1%%", "now,fail=x", "now, fail=1"}) {
    INFO(bad);
    CHECK_FALSE(parse_halt(bad).has_value());
  }
}

TEST_CASE("halting is decided by counts", "[halt]") {
  CHECK_FALSE(should_halt(*parse_halt("now,fail=2"), 100, 1, 0));
  CHECK(should_halt(*parse_halt("now,fail=2"), 0, 2, 0));
  CHECK(should_halt(*parse_halt("now,success=1"), 1, 0, 0));
  CHECK_FALSE(should_halt(*parse_halt("now,success=1"), 0, 9, 0));
  CHECK(should_halt(*parse_halt("soon,done=3"), 1, 2, 0));
  CHECK_FALSE(should_halt(*parse_halt("never"), 9, 9, 9));
}

TEST_CASE("shares are of all tasks", "[halt]") {
  const HaltPolicy third = *parse_halt("now,fail=30%");
  CHECK_FALSE(should_halt(third, 0, 2, 10));
  CHECK(should_halt(third, 0, 3, 10));
  CHECK_FALSE(should_halt(third, 0, 3, 0));  // not known
  CHECK(should_halt(*parse_halt("now,done=100%"), 7, 3, 10));
}

TEST_CASE("the exit status follows from how the run ended", "[halt]") {
  Tally fine, bad;
  fine.ok = 3;
  bad.failed = 2;
  bad.crashed = 1;
  const auto standard = ExitCodeMode::standard;
  CHECK(exit_status({}, fine, standard) == 0);
  CHECK(exit_status({}, bad, standard) == 1);
  CHECK(exit_status({.halted = true}, bad, standard) == 3);
  CHECK(exit_status({.deadline = true}, bad, standard) == 124);
  CHECK(exit_status({.write_failed = true}, fine, standard) == 5);
  CHECK(exit_status({.signal = 2}, fine, standard) == 130);
  CHECK(exit_status({}, bad, ExitCodeMode::count) == 3);
  bad.timed_out = 1000;
  CHECK(exit_status({}, bad, ExitCodeMode::count) == 101);
  CHECK(exit_status({.halted = true, .halt_status = 42}, bad, ExitCodeMode::task) == 42);
  CHECK(exit_status({.input_failed = true}, fine, standard) == 1);
  CHECK(exit_status({.input_failed = true}, fine, ExitCodeMode::count) == 1);
}

TEST_CASE("the closing words count every task once", "[summary]") {
  Tally tally;
  Attempt attempt;
  attempt.task = {.sequence = 4, .attempt = 2, .fields = {"a\x1b[2J"}};
  attempt.end = TaskEnd::crashed;
  attempt.words = "CRASH SIGSEGV";
  attempt.error_tail = "first\nsecond\x07\n";
  tally.add(attempt);
  attempt.end = TaskEnd::ok;
  tally.add(attempt);
  const std::string text = summarize(tally, std::chrono::seconds(2), false, "", false);
  CHECK(text.find("1 ok, 1 crashed") != std::string::npos);
  CHECK(text.find("CRASH SIGSEGV  #4 a\\x1b[2J  (2 attempts)") != std::string::npos);
  CHECK(text.find("      second\\x07\n") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("memory does not grow with the number of failures", "[summary]") {
  Tally tally;
  Attempt attempt;
  attempt.end = TaskEnd::failed;
  for (int i = 0; i < 1000; ++i) tally.add(attempt);
  CHECK(tally.notes.size() == Tally::most_notes);
  CHECK(summarize(tally, std::chrono::seconds(1), false, "", false).find("and 900 more") != std::string::npos);
}
