// The mechanism of a threaded run: threads that claim tasks and hand reports in. It decides nothing.
//
//     driver --put, publish--> blocks --claim--> thread: func(item) --report--> driver --settle--> blocks
//
// One mutex, held only to move spans of tasks over, never while a task runs. Tiny tasks are claimed and reported by the
// run of them; what a thread has claimed and not begun goes to any other that has nothing to do. The driver alone
// starts, closes and joins; it is woken only if it waits.
#pragma once

#include <bulkhead/detail/block_filler.hpp>
#include <bulkhead/detail/claimed_range.hpp>
#include <bulkhead/detail/cpu_clock.hpp>
#include <bulkhead/detail/current_task.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/task_runner.hpp>
#include <bulkhead/detail/thread_report.hpp>
#include <bulkhead/options.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// Writes a warning to spdlog's default logger: an exception that can become no task's outcome.
void log_lost_exception(const char* where, const Failure& failure) noexcept;

/// `F` may be a reference. Called by the driving thread only, request_stop() excepted.
template <class Item, class R, class F>
class ThreadCrew final : private OutputSink {
 public:
  using Block = TaskBlock<Item, R>;
  using Span = BlockSpan<Block>;
  using Report = ThreadReport<Block>;
  using Clock = std::chrono::steady_clock;

  ThreadCrew(std::remove_reference_t<F>& func, const WorkOptions& options)
      : options_(options),
        announce_(!!options.on_event),
        runner_(func, stop_.get_token(), options.retry.max_retries > 0) {}
  ThreadCrew(const ThreadCrew&) = delete;
  ThreadCrew& operator=(const ThreadCrew&) = delete;
  ~ThreadCrew() { discard(); }

  /// Starts one more thread, in the next slot. Throws std::system_error.
  void start_worker() {
    const int slot = static_cast<int>(threads_.size());
    Hand* hand = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      hand = &hands_.emplace_back();
      ++alive_;
    }
    try {
      threads_.emplace_back([this, slot, hand] { live(slot, *hand); });
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      hands_.pop_back();
      --alive_;
      throw;
    }
  }

  struct Usage {
    std::uint64_t wakeups = 0, threads_ended = 0;
    std::chrono::nanoseconds cpu_time{};  // of those
  };
  Usage usage() const {
    const std::scoped_lock lock(mutex_);
    return usage_;
  }

  /// Puts a task into its place. Workers see it after publish().
  void put(std::size_t index, unsigned attempt, Item&& item) { filler_.put(index, attempt, std::move(item)); }
  std::size_t unpublished() const noexcept { return filler_.tasks(); }

  void publish(Clock::time_point now) {
    const std::size_t tasks = filler_.tasks();
    if (tasks == 0) return;
    const std::vector<Span> fresh = filler_.take(now);
    const std::scoped_lock lock(mutex_);
    pending_.insert(pending_.end(), fresh.begin(), fresh.end());
    pending_tasks_ += tasks;
    wake_workers(tasks);
  }

  /// What no worker has begun yet, published or not: settle() it.
  std::vector<Span> take_back() {
    std::vector<Span> all = filler_.take({});
    const std::scoped_lock lock(mutex_);
    all.insert(all.begin(), pending_.begin(), pending_.end());
    pending_.clear();
    pending_tasks_ = 0;
    for (Hand& hand : hands_)
      if (const auto range = hand.claimed.take_back(ClaimedRange::Share::all); range.size() != 0)
        all.push_back({hand.block, range.first, range.last, hand.dealt});
    return all;
  }

  /// The driver is done with so many tasks of a block, of which there is a report or which were taken back.
  void settle(Block& block, std::uint32_t tasks = 1) { filler_.settle(block, tasks); }

  /// Swaps the reports so far into `into` (which is emptied), waiting until they tell of `at_least` things (of one,
  /// once it is `no_longer`), or request_stop() is called, or the time has come. False: there are none.
  bool collect(std::vector<Report>& into, std::size_t at_least, Clock::time_point no_longer, Clock::time_point until) {
    into.clear();
    std::unique_lock lock(mutex_);
    if (Clock::now() - looked_ > between_looks) look_round();  // who asks seldom
    while (news_ < at_least && !nudged_) {
      wanted_ = at_least;
      // Whether a task may be waiting behind another, or its outcome for the end of a run.
      const bool looks = driver_looks_ = runs_ != 0 || (asleep_ != 0 && pending_tasks_ != 0);
      auto next = looks ? std::min(until, Clock::now() + between_looks) : until;
      if (at_least > 1) next = std::min(next, no_longer);
      driver_.wait_until(lock, next, [&] { return news_ >= at_least || nudged_ || looks != driver_looks_; });
      driver_looks_ = true;
      wanted_ = nobody_waits;
      look_round();
      const auto now = Clock::now();
      if (now >= no_longer) at_least = 1;
      if (now >= until) break;
    }
    nudged_ = false;
    into.swap(reports_);
    news_ = 0;
    has_reports_ = false;
    if (output_bytes_ > 0) {
      output_bytes_ = 0;
      output_room_.notify_all();
    }
    return !into.empty();
  }

  bool has_reports() const noexcept { return has_reports_; }

  /// Whether a thread has nothing to do.
  bool has_idle() const {
    const std::scoped_lock lock(mutex_);
    return asleep_ != 0 && pending_tasks_ == 0;
  }

  /// What a task takes, as the last ones tell; 0: not known yet.
  std::chrono::nanoseconds mean() const noexcept { return std::chrono::nanoseconds(mean_ns_); }
  static constexpr std::chrono::microseconds tiny{10};  // below this a clock read and a lock a task cost too much

  /// Tells the functions that take a std::stop_token, lets no further task begin, wakes the driver. Any thread.
  void request_stop() {
    stop_.request_stop();
    const std::scoped_lock lock(mutex_);
    nudged_ = true;
    driver_.notify_one();
  }

  /// Ends the threads once nothing is pending, and waits for them. Reports stay for collect().
  void close_and_join() {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
      work_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  /// Ends the threads after the tasks in hand, whose outcomes and outputs nobody wants any more.
  void discard() noexcept {
    if (threads_.empty()) return;
    stop_.request_stop();
    for (const Span& span : take_back())
      for (std::uint32_t place = span.first; place < span.last; ++place) span.block->items[place].reset();
    {
      const std::scoped_lock lock(mutex_);
      discarding_ = true;
      output_room_.notify_all();
    }
    close_and_join();
  }

 private:
  static constexpr std::size_t nobody_waits = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t most_output_bytes = 1 << 20;  // waiting for the driver; one call may go above it
  static constexpr std::chrono::milliseconds between_looks{2};
  static constexpr std::chrono::microseconds run_time{50};  // what a run of tiny tasks should take
  static constexpr std::uint32_t proof = 256;  // tiny tasks in a row, before they are claimed by the run: until then
                                               // all are begun in the order in which they were put

  // One worker's, written by it: the range at any time, the rest with the mutex held.
  struct alignas(64) Hand {
    ClaimedRange claimed;
    Block* block = nullptr;
    std::uint32_t seen_at = 0;   // when somebody looked last: the place behind the one in hand
    std::uint32_t reported = 0;  // places before this are the driver's again
    bool is_run = false;         // of more than one task
    std::uint32_t run_size = 1;
    std::uint32_t tiny_in_a_row = 0;
    Clock::time_point began{}, dealt{};
    int slot = 0;
  };

  // With the mutex held. As many as there is work for: one can do a thousand tiny tasks before another has woken up.
  void wake_workers(std::size_t tasks) {
    if (asleep_ == 0) return;
    std::size_t wanted = tasks;
    if (const std::chrono::nanoseconds each = mean(); each != each.zero() && each < tiny) {
      const auto runs = static_cast<std::size_t>(each * static_cast<std::int64_t>(pending_tasks_) / run_time);
      wanted = runs + (asleep_ == alive_ || !watching_ ? 1 : 0);
    }
    if (wanted >= asleep_) {
      work_.notify_all();
    } else {
      for (std::size_t n = 0; n < wanted; ++n) work_.notify_one();
    }
  }

  // With the mutex held; by the driver while it waits, or by a thread that has nothing to do. A run was meant to be
  // short: what it has done so far is reported for it, and the rest is taken back if it stands still. False: there was
  // nothing to see.
  bool look_round() {
    looked_ = Clock::now();
    if (runs_ == 0 && pending_tasks_ == 0) return false;
    for (Hand& hand : hands_) {
      if (hand.block == nullptr || !hand.is_run) continue;
      const auto left = hand.claimed.left();
      report_run(hand, left.first - 1, looked_);
      if (std::exchange(hand.seen_at, left.first) != left.first) continue;
      const auto rest = hand.claimed.take_back(ClaimedRange::Share::all);
      if (rest.size() != 0) pending_.push_front({hand.block, rest.first, rest.last, hand.dealt});
      pending_tasks_ += rest.size();
      end_run(hand);
    }
    if (asleep_ != 0 && pending_tasks_ != 0) work_.notify_all();
    return true;
  }
  void end_run(Hand& hand) { runs_ -= std::exchange(hand.is_run, false); }

  // A worker thread, from its first instruction to its last.
  void live(int slot, Hand& hand) {
    CurrentTask& current = current_task();
    current = {.task = {.worker = slot}, .sink = this};
    hand.slot = slot;
    if (initialise(slot)) serve(hand, current);
    const std::chrono::nanoseconds used = thread_cpu_time();
    const std::scoped_lock lock(mutex_);
    ++usage_.threads_ended;
    usage_.cpu_time += used;
  }

  void serve(Hand& hand, CurrentTask& current) {
    {
      std::unique_lock lock(mutex_);
      while (auto place = claim(lock, hand)) {
        Block& block = *hand.block;
        lock.unlock();
        const Clock::time_point began = Clock::now();
        std::uint32_t done = 0;
        for (; place; place = stop_.stop_requested() ? std::nullopt : hand.claimed.pop(), ++done)
          runner_.run(block, *place, current);
        const Clock::time_point ended = Clock::now();
        lock.lock();
        learn(hand, (ended - began) / done, done);
        end_run(hand);
        report_run(hand, hand.claimed.left().first, ended);
        if (hand.claimed.left().size() == 0) hand.block = nullptr;  // after a stop there may be some to take back
      }
    }
    try {
      if (options_.worker_exit) options_.worker_exit();
    } catch (...) {
      log_lost_exception("worker_exit", failure_from_current_exception());
    }
  }

  bool initialise(int slot) {
    try {
      if (options_.worker_init) options_.worker_init();
      return true;
    } catch (...) {
      Report report{.kind = ReportKind::gave_up, .worker = slot, .when = Clock::now()};
      report.failure = failure_of_init();
      const std::scoped_lock lock(mutex_);
      hand_in(std::move(report), 1);
      --alive_;
      nudged_ = true;  // nobody may be left to bring the number of reports that the driver waits for
      driver_.notify_one();
      return false;
    }
  }

  // With the mutex held. The first place of a run, which nobody can take away any more; nothing if there will be none.
  std::optional<std::uint32_t> claim(std::unique_lock<std::mutex>& lock, Hand& hand) {
    std::optional<std::uint32_t> first;
    for (bool watch = true; !first;) {
      if (!stop_.stop_requested() && (claim_pending(hand) || claim_from_another(hand))) {
        first = hand.claimed.pop();
        continue;
      }
      if (closed_) return std::nullopt;
      watch = sleep(lock, watch);
    }
    hand.reported = *first;
    hand.began = Clock::now();
    if (announce_)
      hand_in({.kind = ReportKind::started,
               .worker = hand.slot,
               .when = hand.began,
               .index = hand.block->index(*first),
               .attempt = hand.block->attempt(*first)},
              1);
    hand.is_run = hand.claimed.left().size() > 0;
    runs_ += hand.is_run;
    if (hand.is_run && !std::exchange(driver_looks_, true)) driver_.notify_one();
    if (hand.is_run && asleep_ != 0 && !watching_) work_.notify_one();
    return first;
  }

  // With the mutex held. One of those who sleep watches: so that few need be woken for tiny tasks, and still none waits
  // long behind another that turns out not to be. Returns whether to watch the next time: not where nothing was to see.
  bool sleep(std::unique_lock<std::mutex>& lock, bool watch) {
    watch = watch && !std::exchange(watching_, true);
    ++asleep_;
    bool timed_out = false;
    if (watch)
      timed_out = work_.wait_for(lock, between_looks) == std::cv_status::timeout;
    else
      work_.wait(lock);
    --asleep_;
    if (watch) watching_ = false;
    if (!timed_out) {
      usage_.wakeups += !closed_;
      return true;
    }
    return look_round();
  }

  // As many as were tiny of late, but no more than leaves as many for each of the others.
  bool claim_pending(Hand& hand) {
    if (pending_.empty()) return false;
    Span& front = pending_.front();
    const std::size_t share = std::max<std::size_t>(1, pending_tasks_ / (2 * alive_));
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>({hand.run_size, front.size(), share}));
    hand.block = front.block;
    hand.dealt = front.dealt;
    hand.claimed.assign({front.first, front.first + count});
    front.first += count;
    pending_tasks_ -= count;
    if (front.size() == 0) pending_.pop_front();
    return true;
  }

  bool claim_from_another(Hand& hand) {
    for (Hand& other : hands_) {
      if (other.block == nullptr) continue;
      const auto range = other.claimed.take_back(ClaimedRange::Share::half);
      if (range.size() == 0) continue;
      hand.block = other.block;
      hand.dealt = other.dealt;
      hand.claimed.assign({range.first, range.last});
      return true;
    }
    return false;
  }

  void learn(Hand& hand, std::chrono::nanoseconds each, std::uint32_t count) {
    const std::int64_t mean = mean_ns_;
    mean_ns_ = std::max<std::int64_t>(1, mean == 0 ? each.count() : mean + (each.count() - mean) / 2);
    hand.tiny_in_a_row = each < tiny ? std::min(hand.tiny_in_a_row + count, proof) : 0;
    const auto fit = run_time / std::max(each, std::chrono::nanoseconds(1));
    hand.run_size = announce_ || hand.tiny_in_a_row < proof
                        ? 1
                        : static_cast<std::uint32_t>(std::clamp<std::int64_t>(fit, 1, hand.run_size * 2));
  }

  static Failure failure_of_init() noexcept {
    try {
      return failure_from_current_exception();
    } catch (...) {
      return {};  // no memory for words
    }
  }

  // With the mutex held. Its places before `end` are done, and are dated together.
  void report_run(Hand& hand, std::uint32_t end, Clock::time_point now) {
    if (static_cast<std::int32_t>(end - hand.reported) <= 0) return;
    const std::uint32_t count = end - hand.reported;
    // The driver may have looked after this run's end was read from the clock.
    const auto took = std::max((now - hand.began).count(), Clock::rep{count});
    PackedStats stats;
    stats.ending = Ending::value;
    stats.attempts = 1;  // see ThreadRun::take_outcome() for others
    stats.worker = hand.slot;
    stats.ran_ns = static_cast<float>(took) / static_cast<float>(count);
    stats.waited_ns = static_cast<float>(std::max((hand.began - hand.dealt).count(), Clock::rep{0}));
    hand_in({.kind = ReportKind::finished,
             .worker = hand.slot,
             .when = now,
             .done = {hand.block, hand.reported, end, hand.dealt},
             .stats = stats},
            count);
    hand.reported = end;
    hand.began = now;
  }

  // With the mutex held. It tells of so many things.
  void hand_in(Report&& report, std::size_t things) {
    reports_.push_back(std::move(report));
    news_ += things;
    has_reports_ = true;
    if (news_ >= wanted_) driver_.notify_one();
  }

  void emit(const ThisTask& task, int channel, std::span<const std::byte> bytes) override {
    if (bytes.size() > options_.max_result_bytes)
      throw std::length_error("bulkhead::emit_output(): more than WorkOptions::max_result_bytes in one call");
    if (!announce_) return;
    Report report{.kind = ReportKind::output,
                  .worker = task.worker,
                  .when = Clock::now(),
                  .index = task.index,
                  .attempt = task.attempt,
                  .channel = channel,
                  .bytes = {bytes.begin(), bytes.end()}};
    std::unique_lock lock(mutex_);
    output_room_.wait(lock, [this] { return output_bytes_ < most_output_bytes || discarding_; });
    if (discarding_) return;
    output_bytes_ += bytes.size();
    hand_in(std::move(report), 1);
  }

  const WorkOptions& options_;
  const bool announce_;
  std::stop_source stop_;
  TaskRunner<Item, R, F> runner_;
  BlockFiller<Item, R> filler_;  // the driver's own

  mutable std::mutex mutex_;
  std::condition_variable work_, driver_, output_room_;
  std::deque<Span> pending_;
  std::size_t pending_tasks_ = 0;
  std::deque<Hand> hands_;
  std::vector<Report> reports_;
  std::size_t news_ = 0;  // that these tell of
  std::size_t wanted_ = nobody_waits;
  std::size_t output_bytes_ = 0;
  std::size_t alive_ = 0, asleep_ = 0, runs_ = 0;  // threads; of these, those that have a run in hand
  bool watching_ = false;                          // one that sleeps
  Clock::time_point looked_{};                     // round, the last time
  bool driver_looks_ = true;  // round every now and then; false: it waits, and would not see a run stand still
  Usage usage_;
  bool nudged_ = false, closed_ = false, discarding_ = false;
  // Written under the mutex; the driver also looks at them without, as hints.
  std::atomic<bool> has_reports_ = false;
  std::atomic<std::int64_t> mean_ns_ = 0;

  std::vector<std::thread> threads_;
};

}  // namespace bulkhead::detail
