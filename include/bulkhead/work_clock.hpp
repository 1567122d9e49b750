// The clock by which time limits are kept.
#pragma once

#include <chrono>

namespace bulkhead {

/// std::chrono::steady_clock without the time that the program was suspended: see SignalWatch. By it the executor of
/// processes, run_command() and Coprocess keep their time limits, delays and run times, so that Ctrl-Z costs no task
/// its time. Never goes back. In a worker it is the clock of the program that the worker belongs to. Thread-safe.
struct WorkClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<WorkClock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept;
  /// How long the program has been suspended so far. Nothing before a SignalWatch was made.
  static duration suspended() noexcept;
};

}  // namespace bulkhead
