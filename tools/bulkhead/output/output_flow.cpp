#include "output/output_flow.hpp"

#include <bulkhead/work_clock.hpp>

#include <optional>

namespace bulkhead::tool {

void OutputFlow::go_on() {
  while (console_.waiting() > 0) {
    const std::uint64_t before = console_.written();
    const bool must_wait = console_.waiting() > much;
    if (must_wait || !stuck_) console_.wait_for_room(patience);
    console_.pump();
    stuck_ = console_.written() == before;
    if (!obey_() || (stuck_ && !must_wait)) return;
  }
}

std::uint64_t OutputFlow::finish(std::chrono::milliseconds grace) {
  using Clock = WorkClock;
  std::optional<Clock::time_point> end;
  while (console_.waiting() > 0) {
    if (!obey_() && !end) end = Clock::now() + grace;
    if (end && Clock::now() >= *end) break;
    console_.wait_for_room(patience);
    console_.pump();
  }
  const std::uint64_t left = console_.waiting();
  console_.give_up();
  return left;
}

}  // namespace bulkhead::tool
