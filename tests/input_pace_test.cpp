#include "catch.hpp"

#include <bulkhead/detail/input_pace.hpp>

#include <chrono>

using bulkhead::detail::InputPace;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

struct Pulled {
  int looks = 0, batches = 0, longest = 0;  // items of the longest batch
};

Pulled pull(int items, nanoseconds each) {
  InputPace pace;
  Pulled seen;
  nanoseconds now = 1s, looked = now;
  pace.handed_over(now);
  int held = 0;
  for (int i = 0; i < items; ++i) {
    now += each;
    seen.longest = std::max(seen.longest, ++held);
    if (!pace.look_is_due(1)) continue;
    ++seen.looks;
    if (pace.hand_over(looked, now)) {
      pace.handed_over(now);
      ++seen.batches;
      held = 0;
    }
    looked = now;
  }
  return seen;
}

}  // namespace

TEST_CASE("a slow input is handed over item by item", "[input_pace]") {
  const Pulled seen = pull(1000, 11us);
  CHECK(seen.batches == 1000);
  CHECK(seen.longest == 1);
}

TEST_CASE("a fast input is handed over in batches, and the clock read once in many items", "[input_pace]") {
  const Pulled seen = pull(100'000, 20ns);
  CHECK(seen.looks < 100'000 / 50);
  CHECK(seen.batches < 100'000 * 20 / 50'000 + 2);  // at most one in 50 us
  CHECK(seen.longest * 20ns <= 50us + 64 * 20ns);   // and never longer than the time between two looks more
}

TEST_CASE("an input that becomes slow is noticed at the next look", "[input_pace]") {
  InputPace pace;
  nanoseconds now = 1s;
  pace.handed_over(now);
  for (int i = 0; i < 200; ++i)
    if (pace.look_is_due(1)) static_cast<void>(pace.hand_over(now, now + 1us)), now += 1us;
  int held = 0;
  for (bool over = false; !over; ++held) {
    now += 1ms;
    over = pace.look_is_due(1) && pace.hand_over(now - 1ms, now);
  }
  CHECK(held <= 64);
  pace.handed_over(now);
  now += 1ms;
  CHECK(pace.look_is_due(1));  // from then on each item is looked at
}
