#include "catch.hpp"

#include <bulkhead/detail/claimed_range.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <numeric>
#include <thread>
#include <vector>

using bulkhead::detail::ClaimedRange;
using Share = ClaimedRange::Share;

TEST_CASE("a claimed range is taken from both ends", "[claimed_range]") {
  ClaimedRange claimed;
  CHECK_FALSE(claimed.pop());
  CHECK(claimed.take_back(Share::half).size() == 0);
  claimed.assign({10, 20});
  CHECK(claimed.pop() == 10u);
  const auto later = claimed.take_back(Share::half);
  CHECK(later.first == 15);
  CHECK(later.last == 20);
  CHECK(claimed.left().first == 11);
  CHECK(claimed.left().last == 15);
  CHECK(claimed.take_back(Share::all).size() == 4);
  CHECK_FALSE(claimed.pop());
}

TEST_CASE("the last of a claimed range can be taken as well", "[claimed_range]") {
  ClaimedRange claimed;
  claimed.assign({3, 4});
  CHECK(claimed.take_back(Share::half).size() == 1);
  CHECK_FALSE(claimed.pop());
}

TEST_CASE("owner and taker never get the same place, and together all", "[claimed_range]") {
  constexpr std::uint32_t places = 64;
  std::vector<std::uint32_t> popped, taken;
  for (int round = 0; round < 2000; ++round) {
    popped.clear();
    taken.clear();
    ClaimedRange claimed;
    claimed.assign({0, places});
    std::atomic<bool> go = false;
    std::thread taker([&] {
      go.wait(false);
      while (claimed.left().size() != 0) {
        const auto range = claimed.take_back(Share::half);
        for (std::uint32_t place = range.first; place < range.last; ++place) taken.push_back(place);
      }
    });
    go = true;
    go.notify_all();
    while (const auto place = claimed.pop()) popped.push_back(*place);
    taker.join();
    REQUIRE(std::is_sorted(popped.begin(), popped.end()));
    popped.insert(popped.end(), taken.begin(), taken.end());
    std::sort(popped.begin(), popped.end());
    std::vector<std::uint32_t> all(places);
    std::iota(all.begin(), all.end(), 0u);
    REQUIRE(popped == all);
  }
}
