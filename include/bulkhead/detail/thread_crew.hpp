// The mechanism of a threaded run: threads that take tasks from one queue and hand reports in. It decides nothing.
//
//     driving thread --deal--> pending_ --take--> worker thread: func(item) --hand_in--> reports_ --collect--> driver
//
// One mutex, held only to move things over. The driver alone starts, closes and joins; it is woken only if it waits.
#pragma once

#include <bulkhead/detail/cpu_clock.hpp>
#include <bulkhead/detail/current_task.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/task_function.hpp>
#include <bulkhead/options.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
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

template <class Item>
struct ThreadTask {
  std::size_t index;
  unsigned attempt;
  std::chrono::steady_clock::time_point dealt;
  Item item;
};

enum class ReportKind : std::uint8_t { started, output, finished, gave_up };

template <class Item, class R>
struct ThreadReport {
  ReportKind kind{};
  int worker = 0;
  std::size_t index = 0;
  unsigned attempt = 0;
  std::chrono::steady_clock::time_point when{};
  Outcome<R> outcome{};            // finished, gave_up
  std::optional<Item> item{};      // finished without a value, and items are kept
  int channel = 0;                 // output
  std::vector<std::byte> bytes{};  // output
};

/// `F` may be a reference. Called by the driving thread only, request_stop() excepted.
template <class Item, class R, class F>
class ThreadCrew final : private OutputSink {
 public:
  using Task = ThreadTask<Item>;
  using Report = ThreadReport<Item, R>;
  using Clock = std::chrono::steady_clock;

  ThreadCrew(std::remove_reference_t<F>& func, const WorkOptions& options)
      : func_(func), options_(options), keep_items_(options.retry.max_retries > 0), announce_(!!options.on_event) {}
  ThreadCrew(const ThreadCrew&) = delete;
  ThreadCrew& operator=(const ThreadCrew&) = delete;
  ~ThreadCrew() { discard(); }

  /// Starts one more thread, in the next slot. Throws std::system_error.
  void start_worker() {
    const int slot = static_cast<int>(threads_.size());
    threads_.emplace_back([this, slot] { live(slot); });
  }

  struct Usage {
    std::uint64_t wakeups = 0, threads_ended = 0;
    std::chrono::nanoseconds cpu_time{};  // of those
  };
  Usage usage() const {
    const std::scoped_lock lock(mutex_);
    return usage_;
  }

  /// Hands tasks over and empties `batch`.
  void deal(std::vector<Task>& batch) {
    if (batch.empty()) return;
    const Clock::time_point now = Clock::now();
    const std::scoped_lock lock(mutex_);
    for (Task& task : batch) {
      task.dealt = now;
      pending_.push_back(std::move(task));
    }
    if (batch.size() >= asleep_) {
      work_.notify_all();
    } else {
      for (std::size_t n = 0; n < batch.size(); ++n) work_.notify_one();
    }
    batch.clear();
  }

  /// What no worker has started yet.
  std::deque<Task> take_back() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(pending_, {});
  }

  /// Swaps the reports so far into `into` (which is emptied), waiting until there are `at_least`, or request_stop()
  /// is called, or the time has come. False: there are none.
  bool collect(std::vector<Report>& into, std::size_t at_least, Clock::time_point until) {
    into.clear();
    std::unique_lock lock(mutex_);
    if (reports_.size() < at_least) {
      wanted_ = at_least;
      driver_.wait_until(lock, until, [&] { return reports_.size() >= at_least || nudged_; });
      wanted_ = nobody_waits;
    }
    nudged_ = false;
    into.swap(reports_);
    has_reports_ = false;
    if (output_bytes_ > 0) {
      output_bytes_ = 0;
      output_room_.notify_all();
    }
    return !into.empty();
  }

  bool has_reports() const noexcept { return has_reports_; }

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
    std::deque<Task> unwanted = take_back();
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

  // A worker thread, from its first instruction to its last.
  void live(int slot) {
    CurrentTask& current = current_task();
    current = {.task = {.worker = slot}, .sink = this};
    if (initialise(slot)) serve(slot, current);
    const std::chrono::nanoseconds used = thread_cpu_time();
    const std::scoped_lock lock(mutex_);
    ++usage_.threads_ended;
    usage_.cpu_time += used;
  }

  void serve(int slot, CurrentTask& current) {
    {
      std::unique_lock lock(mutex_);
      while (std::optional<Task> task = take(lock, slot)) {
        lock.unlock();
        Report report = run(*task, current);
        task.reset();  // what the item owns ends before anybody can see its outcome
        lock.lock();
        hand_in(std::move(report));
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
      report.outcome = failed({});
      const std::scoped_lock lock(mutex_);
      hand_in(std::move(report));
      nudged_ = true;  // nobody may be left to bring the number of reports that the driver waits for
      driver_.notify_one();
      return false;
    }
  }

  std::optional<Task> take(std::unique_lock<std::mutex>& lock, int slot) {
    while (pending_.empty() || stop_.stop_requested()) {
      if (closed_) return std::nullopt;
      ++asleep_;
      work_.wait(lock);
      --asleep_;
      usage_.wakeups += !closed_;
    }
    std::optional<Task> task(std::move(pending_.front()));
    pending_.pop_front();
    if (announce_)
      hand_in({.kind = ReportKind::started,
               .worker = slot,
               .index = task->index,
               .attempt = task->attempt,
               .when = Clock::now()});
    return task;
  }

  Report run(Task& task, CurrentTask& current) {
    Report report{
        .kind = ReportKind::finished, .worker = current.task.worker, .index = task.index, .attempt = task.attempt};
    current.task.index = task.index;
    current.task.attempt = task.attempt;
    current.active = true;
    const Clock::time_point start = Clock::now();
    TaskStats stats{.attempts = task.attempt, .worker = report.worker, .waited = start - task.dealt};
    try {
      if constexpr (std::is_void_v<R>) {
        static_cast<void>(call(task.item));
        report.when = Clock::now();
        stats.ran = report.when - start;
        report.outcome = Outcome<R>(stats);
      } else {
        R value = call(task.item);
        report.when = Clock::now();
        stats.ran = report.when - start;
        report.outcome = Outcome<R>(std::move(value), stats);
      }
    } catch (...) {
      report.when = Clock::now();
      stats.ran = report.when - start;
      report.outcome = failed(stats);
      if (keep_items_) report.item.emplace(std::move(task.item));
    }
    current.active = false;
    return report;
  }

  decltype(auto) call(Item& item) {
    if constexpr (item_survives<F, Item>) {
      if (keep_items_) return static_cast<R>(invoke_keeping(func_, item, stop_.get_token()));
    }
    return static_cast<R>(invoke_task(func_, std::move(item), stop_.get_token()));
  }

  static Outcome<R> failed(const TaskStats& stats) noexcept {
    try {
      return Outcome<R>(failure_from_current_exception(), stats);
    } catch (...) {
      return {};  // no memory for a Failure: abandoned
    }
  }

  // With the mutex held.
  void hand_in(Report&& report) {
    reports_.push_back(std::move(report));
    has_reports_ = true;
    if (reports_.size() >= wanted_) driver_.notify_one();
  }

  void emit(const ThisTask& task, int channel, std::span<const std::byte> bytes) override {
    if (bytes.size() > options_.max_result_bytes)
      throw std::length_error("bulkhead::emit_output(): more than WorkOptions::max_result_bytes in one call");
    if (!announce_) return;
    Report report{.kind = ReportKind::output,
                  .worker = task.worker,
                  .index = task.index,
                  .attempt = task.attempt,
                  .when = Clock::now(),
                  .channel = channel,
                  .bytes = {bytes.begin(), bytes.end()}};
    std::unique_lock lock(mutex_);
    output_room_.wait(lock, [this] { return output_bytes_ < most_output_bytes || discarding_; });
    if (discarding_) return;
    output_bytes_ += bytes.size();
    hand_in(std::move(report));
  }

  std::remove_reference_t<F>& func_;
  const WorkOptions& options_;
  const bool keep_items_, announce_;
  std::stop_source stop_;

  mutable std::mutex mutex_;
  std::condition_variable work_, driver_, output_room_;
  std::deque<Task> pending_;
  std::vector<Report> reports_;
  std::size_t wanted_ = nobody_waits;
  std::size_t output_bytes_ = 0;
  std::size_t asleep_ = 0;
  Usage usage_;
  bool nudged_ = false, closed_ = false, discarding_ = false;
  std::atomic<bool> has_reports_ = false;  // written under the mutex; the driver also looks at it without, as a hint

  std::vector<std::thread> threads_;
};

}  // namespace bulkhead::detail
