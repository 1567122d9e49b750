// When to stop replacing workers that die without doing anything. Pure: the clock is passed in.
#pragma once

#include <bulkhead/options.hpp>

#include <chrono>

namespace bulkhead {

/// What a worker died of while no task was in its hands.
enum class IdleDeath {
  by_itself,  ///< worker_init failed, or the worker died before it had done anything
  too_slow,   ///< worker_init outlived its time
  killed,     ///< by SIGKILL, and not by us: somebody else's doing, which says little about the next one
};

/// Counts deaths in a row, with nothing done between. A death in a task is never among them.
class RespawnBook {
 public:
  explicit RespawnBook(const RespawnPolicy& policy) noexcept : policy_(policy) {}

  /// Some worker has done something: what died before is forgotten.
  void note_progress() noexcept { deaths_ = kills_ = slow_ = 0; }

  /// Notes a death at `now`. True: no other is to take its place.
  bool is_enough(IdleDeath death, std::chrono::nanoseconds now) noexcept;

  unsigned deaths() const noexcept { return deaths_ + kills_ + slow_; }

 private:
  RespawnPolicy policy_;
  unsigned deaths_ = 0, kills_ = 0, slow_ = 0;
  std::chrono::nanoseconds first_{};
};

}  // namespace bulkhead
