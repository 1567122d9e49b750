// Who of the threads of a run has which tasks in hand, what is waiting for one of them, and what they have reported:
// the books of a crew. No thread and no lock is in it; whoever calls holds the crew's mutex.
#pragma once

#include <bulkhead/detail/claimed_range.hpp>
#include <bulkhead/detail/thread_report.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace bulkhead::detail {

class ThreadLedger {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::microseconds run_time{50};  // what a run of tiny tasks should take
  static constexpr std::uint32_t proof = 256;  // tiny tasks in a row, before they are claimed by the run: until then
                                               // all are begun in the order in which they were put

  /// One thread's. It pops from `claimed` without the mutex; what it claimed stays its own otherwise.
  struct alignas(64) Hand {
    ClaimedRange claimed;
    TaskNumbers* block = nullptr;
    std::uint32_t seen_at = 0;   // when somebody looked last: the place behind the one in hand
    std::uint32_t reported = 0;  // places before this are the driver's again
    bool is_run = false;         // of more than one task
    std::uint32_t run_size = 1;
    std::uint32_t tiny_in_a_row = 0;
    Clock::time_point began{}, dealt{};
    int slot = 0;
  };

  /// `announce`: each task's start is reported too, so none is claimed with others.
  explicit ThreadLedger(bool announce) : announce_(announce) {}

  /// Stays where it is.
  Hand& add_hand(int slot);
  /// The last one, which has not claimed anything.
  void drop_hand() { hands_.pop_back(); }

  void add(std::span<const TaskSpan> tasks);
  /// What no thread has begun: waiting, or claimed and not begun.
  std::vector<TaskSpan> take_back();
  /// Waiting for a thread to claim them.
  std::size_t waiting() const noexcept { return waiting_tasks_; }

  /// Of what waits, as many as were tiny of late, but no more than leaves as many for each of the others of `threads`;
  /// or the half of what another has claimed and not begun. Returns the first place, which nobody can take away any
  /// more, and reports it if starts are reported; nothing: there is nothing to claim.
  std::optional<std::uint32_t> claim(Hand& hand, std::size_t threads, Clock::time_point now);
  /// What `hand` claimed was run until `now`, `tasks` of them since `began`.
  void finish(Hand& hand, std::uint32_t tasks, Clock::time_point began, Clock::time_point now);

  /// Of more than one task, in the hands of how many threads.
  std::size_t runs() const noexcept { return runs_; }
  /// A run was meant to be short: what it has done so far is reported for it, and what is left of one that stands still
  /// is taken back. False: there was nothing to see.
  bool look_round(Clock::time_point now);
  Clock::time_point looked() const noexcept { return looked_; }

  /// It tells of so many things.
  void report(ThreadReport&& report, std::size_t things);
  /// What the reports tell of.
  std::size_t news() const noexcept { return news_; }
  /// Swaps them with `into`.
  void take_reports(std::vector<ThreadReport>& into);

  // Hints, also without the mutex.
  bool has_reports() const noexcept { return has_reports_; }
  /// What a task takes, as the last ones tell; 0: not known yet.
  std::chrono::nanoseconds mean() const noexcept { return std::chrono::nanoseconds(mean_ns_); }

 private:
  bool claim_waiting(Hand& hand, std::size_t threads);
  bool claim_from_another(Hand& hand);
  void learn(Hand& hand, std::chrono::nanoseconds each, std::uint32_t tasks);
  void end_run(Hand& hand);
  void report_run(Hand& hand, std::uint32_t end, Clock::time_point now);

  const bool announce_;
  std::deque<TaskSpan> waiting_;
  std::size_t waiting_tasks_ = 0;
  std::deque<Hand> hands_;
  std::size_t runs_ = 0;
  Clock::time_point looked_{};
  std::vector<ThreadReport> reports_;
  std::size_t news_ = 0;
  std::atomic<bool> has_reports_ = false;
  std::atomic<std::int64_t> mean_ns_ = 0;
};

}  // namespace bulkhead::detail
