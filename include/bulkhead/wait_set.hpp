// "When this can be read, or at that time", as one descriptor: for those who can wait for one descriptor only.
#pragma once

#include <bulkhead/work_clock.hpp>

namespace bulkhead {

/// A descriptor that is readable while another one is, and from a moment in time on. Move-only; one thread at a time.
class WaitSet {
 public:
  /// Throws std::system_error.
  WaitSet();
  WaitSet(WaitSet&& other) noexcept;
  WaitSet& operator=(WaitSet&& other) noexcept;
  ~WaitSet();

  static constexpr WorkClock::time_point never = WorkClock::time_point::max();

  /// From now on waits for these alone. A program that is suspended meanwhile finds it readable too early: look at the
  /// clock, and wait again. `watched`: -1 for none. Returns the descriptor to wait for.
  int wait_for(int watched, WorkClock::time_point due) noexcept;

 private:
  int set_, timer_;
  int watched_ = -1;
};

}  // namespace bulkhead
