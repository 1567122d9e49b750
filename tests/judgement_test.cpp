// The deciding side, without a fork: whose fault a death was, and how far ahead a worker is dealt.
#include "death_verdict.hpp"
#include "pace.hpp"

#include "catch.hpp"

#include <csignal>

using namespace bulkhead;
using namespace std::chrono_literals;

TEST_CASE("a death is told as what it was", "[judgement]") {
  const Failure crash = judge_death({.signaled = true, .number = SIGSEGV});
  CHECK(crash.ending == Ending::crashed);
  CHECK(crash.signal == SIGSEGV);
  CHECK(crash.exit_code == -1);
  const Failure left = judge_death({.signaled = false, .number = 0});
  CHECK(left.ending == Ending::exited);
  CHECK(left.exit_code == 0);
  CHECK(left.signal == 0);
  const Failure unknown = judge_death({.status_known = false});
  CHECK(unknown.ending == Ending::crashed);
  CHECK(unknown.signal == 0);
  CHECK(unknown.exit_code == -1);
}

TEST_CASE("what we ended ourselves is never a crash", "[judgement]") {
  const auto ending = [](KillReason reason) {
    return judge_death({.signaled = true, .number = SIGKILL, .reason = reason, .task_timeout = 30s});
  };
  CHECK(ending(KillReason::timed_out).ending == Ending::timed_out);
  CHECK(ending(KillReason::timed_out).signal == 0);
  CHECK(ending(KillReason::timed_out).what == "still running after 30000 ms");
  CHECK(ending(KillReason::cancelled).ending == Ending::cancelled);
  CHECK(ending(KillReason::bad_frames).ending == Ending::protocol_error);
}

TEST_CASE("tiny tasks are dealt deep by steps, long ones one ahead", "[judgement]") {
  Pace pace;
  CHECK(pace.depth() == 2);
  pace.learn(100ns, 1);
  CHECK(pace.depth() == 8);
  for (int i = 0; i < 10; ++i) pace.learn(20us, 1000);
  CHECK(pace.depth() == 4096);  // what stays in the cache, not all the lane could hold
  for (int i = 0; i < 10; ++i) pace.learn(8ms, 8);
  CHECK(pace.depth() == 16);  // two batches
  for (int i = 0; i < 10; ++i) pace.learn(50ms, 1);
  CHECK(pace.depth() == 2);
  CHECK(Pace(1).depth() == 1);
}

TEST_CASE("of large items a mebibyte is enough ahead, but two always are dealt", "[judgement]") {
  constexpr std::uint64_t mebibyte = 1u << 20;
  CHECK_FALSE(Pace().enough(0, 0));
  CHECK_FALSE(Pace().enough(16, mebibyte - 1));
  CHECK(Pace().enough(16, mebibyte));
  CHECK_FALSE(Pace().enough(1, 64 * mebibyte));
  CHECK(Pace().enough(2, 64 * mebibyte));
  CHECK_FALSE(Pace(64).enough(63, 64 * mebibyte));  // as deep as was asked for
}

TEST_CASE("many tasks that were short together outweigh a first one that seemed long", "[judgement]") {
  Pace few, many;
  for (Pace* pace : {&few, &many}) pace->learn(100us, 1);
  few.learn(100ns, 1);
  many.learn(10us, 100);
  CHECK(few.mean() > 70us);
  CHECK(many.mean() < 55us);
}
