#include "catch.hpp"

#include "process/slot_set.hpp"

using bulkhead::process::SlotSet;

TEST_CASE("the next slot of a set is found across words", "[slot_set]") {
  SlotSet set(200);
  CHECK_FALSE(set.next(0));
  for (const std::size_t slot : {0u, 63u, 64u, 130u, 199u}) set.insert(slot);
  CHECK(set.next(0) == 0u);
  CHECK(set.next(1) == 63u);
  CHECK(set.next(64) == 64u);
  CHECK(set.next(65) == 130u);
  CHECK(set.next(131) == 199u);
  CHECK_FALSE(set.next(200));
  set.erase(130);
  set.erase(131);  // it was not there
  CHECK(set.next(65) == 199u);
  CHECK_FALSE(SlotSet(1).next(0));
}
