// The threads of a threaded run, as the driver sees them: they claim tasks and hand reports in, and decide nothing.
//
//     driver --publish--> spans of tasks --claim--> thread: TaskLoop --report--> driver
//
// One mutex, held only to move spans of tasks over, never while a task runs. Tiny tasks are claimed and reported by the
// run of them; what a thread has claimed and not begun goes to any other that has nothing to do. The driver alone
// starts, closes and joins; it is woken only if it waits.
#pragma once

#include <bulkhead/detail/task_loop.hpp>
#include <bulkhead/detail/thread_report.hpp>
#include <bulkhead/options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

namespace bulkhead::detail {

/// Called by the driving thread only. Once `options.stop` is requested, by any thread, the functions that take a
/// std::stop_token are told, no further task begins, and the driver is woken.
class ThreadCrew {
 public:
  using Clock = std::chrono::steady_clock;

  /// `stop` is the one that `loop` looks at. Refers to the options.
  ThreadCrew(TaskLoop& loop, const WorkOptions& options, std::stop_source stop);
  ThreadCrew(const ThreadCrew&) = delete;
  ThreadCrew& operator=(const ThreadCrew&) = delete;
  /// As discard() does.
  ~ThreadCrew();

  /// Starts one more thread, in the next slot. Throws std::system_error.
  void start_worker();

  struct Usage {
    std::uint64_t wakeups = 0, threads_ended = 0;
    std::chrono::nanoseconds cpu_time{};  // of those
  };
  Usage usage() const;

  void publish(std::span<const TaskSpan> tasks);
  /// What no worker has begun yet: it is the driver's again.
  std::vector<TaskSpan> take_back();

  /// Swaps the reports so far into `into` (which is emptied), waiting until they tell of `at_least` things (of one,
  /// once it is `no_longer`), or a stop is requested, or the time has come. Returns of how many they tell.
  std::size_t collect(std::vector<ThreadReport>& into, std::size_t at_least, Clock::time_point no_longer,
                      Clock::time_point until);
  bool has_reports() const noexcept;

  /// Whether a thread has nothing to do.
  bool has_idle() const;
  /// What a task takes, as the last ones tell; 0: not known yet.
  std::chrono::nanoseconds mean() const noexcept;
  static constexpr std::chrono::microseconds tiny{10};  // below this a clock read and a lock a task cost too much

  /// Ends the threads once nothing is pending, and waits for them. Reports stay for collect().
  void close_and_join();
  /// Ends the threads after the tasks in hand, whose outcomes and outputs nobody wants any more; what they have not
  /// begun must have been taken back.
  void discard() noexcept;

 private:
  class State;
  const std::unique_ptr<State> state_;
};

}  // namespace bulkhead::detail
