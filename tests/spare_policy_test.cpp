// Whether a worker stands by for the next that ends, without a fork.
#include "spare_policy.hpp"
#include "catch.hpp"

#include <deque>
#include <utility>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

// Workers that die at once, on a machine where each way of replacing them has its price. A death costs what the way
// costs in which the worker was asked for, as many deaths ago as there are workers.
class DeathsInRow {
 public:
  DeathsInRow(std::chrono::nanoseconds in_turn, std::chrono::nanoseconds ahead, std::size_t num_workers = 1)
      : in_turn_(in_turn), ahead_(ahead), policy_(num_workers), asked_for_(num_workers, ahead) {}

  void change(std::chrono::nanoseconds in_turn, std::chrono::nanoseconds ahead) { in_turn_ = in_turn, ahead_ = ahead; }
  // How many of so many deaths were followed by a birth in turn, and how many by one from the spare.
  std::pair<int, int> pass(int count) {
    std::pair<int, int> seen;
    for (int i = 0; i < count; ++i) {
      now_ += asked_for_.front();
      asked_for_.pop_front();
      policy_.note_death(100us, now_);
      const bool ahead = policy_.wants_spare(now_);
      ++(ahead ? seen.second : seen.first);
      asked_for_.push_back(ahead ? ahead_ : in_turn_);
    }
    return seen;
  }
  void rest(std::chrono::nanoseconds time) { now_ += time; }
  bool wants_spare() const { return policy_.wants_spare(now_); }
  void stop_trying() { policy_.stop_trying(); }

 private:
  std::chrono::nanoseconds in_turn_, ahead_, now_ = 1s;
  SparePolicy policy_;
  std::deque<std::chrono::nanoseconds> asked_for_;
};

}  // namespace

TEST_CASE("a spare stands by where workers live long, and not on the heels of a death", "[spare-policy]") {
  SparePolicy policy(2);
  CHECK(policy.wants_spare(0ns));
  policy.note_death(1s, 5s);
  CHECK(policy.wants_spare(5s));
  policy.note_death(1ms, 6s);
  CHECK_FALSE(policy.wants_spare(6s));
  const auto later = policy.pressed_until();
  CHECK(later > 6s);
  CHECK_FALSE(policy.wants_spare(later - 1ns));
  CHECK(policy.wants_spare(later));
  policy.note_death(9ms, 7s);
  CHECK_FALSE(policy.wants_spare(7s));
  policy.note_death(11ms, 7s + 1ms);  // somebody works: he is not to share his core
  CHECK(policy.wants_spare(7s + 1ms));
}

TEST_CASE("while deaths press the faster way to replace workers is found and kept", "[spare-policy]") {
  const auto [in_turn, ahead] = GENERATE(std::pair{1ms, 2ms}, std::pair{2ms, 1ms}, std::pair{5ms, 4ms});
  const int num_workers = GENERATE(1, 2, 64);
  DeathsInRow deaths(in_turn, ahead, static_cast<std::size_t>(num_workers));
  const int enough = 200 * num_workers;
  deaths.pass(enough);
  const auto [turns, spares] = deaths.pass(100 * enough);
  CHECK((in_turn < ahead ? turns : spares) > 95 * enough);
  CHECK((in_turn < ahead ? spares : turns) > 0);  // it is looked at again
  deaths.rest(1min);
  const auto [turns_again, spares_again] = deaths.pass(num_workers);
  CHECK((in_turn < ahead ? turns_again : spares_again) == num_workers);
  deaths.change(ahead, in_turn);
  deaths.pass(50 * enough);
  const auto [later_turns, later_spares] = deaths.pass(100 * enough);
  CHECK((in_turn < ahead ? later_spares : later_turns) > 95 * enough);
}

TEST_CASE("of ways that take about as long the one is kept that needs less of the processors", "[spare-policy]") {
  DeathsInRow deaths(1ms, 950us);
  deaths.pass(100);
  CHECK(deaths.pass(10'000).first > 9'500);
}

TEST_CASE("a moment in which the machine was busy elsewhere does not change the way", "[spare-policy]") {
  const auto [in_turn, ahead] = GENERATE(std::pair{1ms, 2ms}, std::pair{2ms, 1ms});
  DeathsInRow deaths(in_turn, ahead);
  deaths.pass(500);
  int kept = 0;
  for (int i = 0; i < 100; ++i) {
    deaths.rest(30ms);
    const auto [turns, spares] = deaths.pass(100);
    kept += in_turn < ahead ? turns : spares;
  }
  CHECK(kept > 9'500);
}

TEST_CASE("what passes between two rushes is not counted as either way's", "[spare-policy]") {
  DeathsInRow deaths(1ms, 2ms);
  for (int i = 0; i < 1'000; ++i) {  // never long enough for a trial
    deaths.pass(10);
    CHECK_FALSE(deaths.wants_spare());
    deaths.rest(1min);
    CHECK(deaths.wants_spare());
  }
  deaths.pass(10);
  deaths.stop_trying();
  CHECK(deaths.wants_spare());
  CHECK(deaths.pass(1'000).first == 0);
}
