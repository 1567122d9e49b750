#include "respawn_policy.hpp"

namespace bulkhead {

namespace {

// Kills from outside come as often as whoever sends them likes; but a run in which nothing else happens must end.
constexpr unsigned kills_for_one = 10;
// Each costs its whole time: a second one proves enough.
constexpr unsigned most_slow = 1;

}  // namespace

bool RespawnBook::is_enough(IdleDeath death, std::chrono::nanoseconds now) noexcept {
  if (deaths_ + kills_ == 0 || now - first_ > policy_.period) {
    deaths_ = kills_ = 0;
    first_ = now;
  }
  switch (death) {
    case IdleDeath::by_itself:
      return ++deaths_ > policy_.limit;
    case IdleDeath::killed:
      return ++kills_ > kills_for_one * (policy_.limit + 1);
    case IdleDeath::too_slow:
      return ++slow_ > most_slow;
  }
  return true;
}

}  // namespace bulkhead
