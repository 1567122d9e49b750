// The decisions of a threaded run: what is dealt, retried, given up, delivered. Its loop, in next(): take in what the
// workers report, deal what the window allows, deliver a result if there is one, otherwise wait for one thing to
// happen.
#pragma once

#include <bulkhead/detail/check_options.hpp>
#include <bulkhead/detail/cpu_clock.hpp>
#include <bulkhead/detail/item_source.hpp>
#include <bulkhead/detail/ready_results.hpp>
#include <bulkhead/detail/retry_policy.hpp>
#include <bulkhead/detail/thread_crew.hpp>
#include <bulkhead/threaded_worker.hpp>
#include <bulkhead/work_statistics.hpp>

#include <algorithm>
#include <exception>
#include <map>
#include <random>
#include <system_error>

namespace bulkhead::detail {

/// How results are wanted: each as soon as it may be had, or all of them at the end (fewer wake-ups).
enum class Delivery : std::uint8_t { each, all };

template <class Items, class F>
class ThreadRun {
 public:
  using Item = ItemOf<Items>;
  using R = TaskResult<F, Item>;

  ThreadRun(Items&& items, F&& func, const WorkOptions& options, Delivery delivery)
      : options_((check(options), options)),
        source_(std::forward<Items>(items)),
        func_(std::forward<F>(func)),
        crew_(func_, options_),
        ready_(delivery == Delivery::each && options.preserve_result_ordering),
        prompt_(delivery == Delivery::each || options.on_event || options.retry.max_retries > 0),
        most_workers_(options.num_workers ? options.num_workers : max_default_threads),
        window_(delivery == Delivery::each ? 64 + 4 * most_workers_ : std::max<std::size_t>(4096, 4 * most_workers_)) {
    if (options_.stop.stop_possible()) on_stop_.emplace(options_.stop, StopCrew{&crew_});
  }
  ThreadRun(const ThreadRun&) = delete;
  ThreadRun& operator=(const ThreadRun&) = delete;
  ~ThreadRun() {
    const bool early = begun_ && !finished_;
    abort();
    try {
      if (early) tell_finished();
    } catch (...) {
      log_lost_exception("on_event", failure_from_current_exception());
    }
  }

  std::optional<std::size_t> input_size() const noexcept { return source_.size(); }

  bool ready() const { return !ready_.empty(); }

  /// The next result, or nullopt after the last. Throws what the input range threw, after every result before it; what
  /// on_event threw; std::system_error if no thread can be had; std::logic_error if items and outcomes differ in
  /// number.
  std::optional<Indexed<R>> next() {
    if (finished_) return std::nullopt;
    try {
      begin();
      while (ready_.empty()) {
        if (options_.stop.stop_requested()) give_up(Ending::cancelled, "stopped on request before it was started");
        if (crew_.has_reports()) collect(Clock::now());
        batch_due_retries();
        refill();
        if (!ready_.empty()) break;
        if (unsettled_ == 0 && source_done_) return finish(), std::nullopt;
        wait();
      }
    } catch (...) {
      abort();
      throw;
    }
    return ready_.pop();
  }

  /// So far; final once next() has said that there is no more. In the driving thread.
  WorkStatistics statistics() const {
    WorkStatistics all = counted_;
    if (finished_ || !begun_) return all;
    const auto usage = crew_.usage();
    all.tasks = pulled_ - unsettled_;
    all.worker_wakeups = usage.wakeups;
    all.workers_started = started_;
    all.workers_ended = usage.threads_ended;
    all.workers_cpu_time = usage.cpu_time;
    all.wall_time = Clock::now() - began_;
    all.coordinator_cpu_time = thread_cpu_time() - cpu_at_start_;
    return all;
  }

 private:
  using Crew = ThreadCrew<Item, R, F>;
  using Task = typename Crew::Task;
  using Report = typename Crew::Report;
  using Clock = std::chrono::steady_clock;

  struct StopCrew {
    Crew* crew;
    void operator()() const { crew->request_stop(); }
  };

  // Only where the next item is sure to come at once: a generator may be a long time about it.
  static constexpr std::size_t most_in_batch = std::ranges::contiguous_range<std::remove_reference_t<Items>> ? 32 : 1;
  static constexpr std::chrono::milliseconds patience{1};  // of a finished result, while more input is being pulled

  static void check(const WorkOptions& options) {
    check_thread_options(options);
    if (options.retry.max_retries > 0 && !item_survives<F, Item>)
      throw std::invalid_argument(
          "WorkOptions::retry.max_retries: the items cannot be copied and the function may consume them; "
          "let it take const Item& (not auto)");
  }

  void begin() {
    if (std::exchange(begun_, true)) return;
    began_ = Clock::now();
    cpu_at_start_ = thread_cpu_time();
    tell({.kind = EventKind::run_started});
  }

  void refill() {
    const Clock::time_point began = Clock::now();
    while (!source_done_ && pulled_ - ready_.delivered() < window_) {
      if (given_up_) {
        end_unpulled();
      } else if (pull() && batch_.size() >= most_in_batch) {
        deal();
      }
      if (prompt_ && (!ready_.empty() || crew_.has_reports()) && Clock::now() - began > patience) break;
    }
    deal();
  }

  // The next item into the batch. A range that throws ends the input; the exception waits for the results before it.
  bool pull() {
    std::optional<Item> item;
    try {
      item = source_.next();
    } catch (...) {
      input_error_ = std::current_exception();
    }
    source_done_ = !item;
    if (!item) return false;
    admit();
    batch_.push_back({pulled_ - 1, 1, {}, std::move(*item)});
    return true;
  }

  void admit() {
    ready_.expect_another();
    ++pulled_;
    ++unsettled_;
  }

  // After giving up, what the input is known to hold still gets its outcome; unknown input is left alone.
  void end_unpulled() {
    if (pulled_ >= source_.size().value_or(0)) {
      source_done_ = true;
      return;
    }
    admit();
    settle(pulled_ - 1, 0, 0, Outcome<R>(*given_up_));
  }

  void deal() {
    if (batch_.empty()) return;
    start_workers();
    if (given_up_) return end_batch();
    counted_.dealt += batch_.size();
    ++counted_.batches;
    counted_.largest_batch = std::max<std::uint64_t>(counted_.largest_batch, batch_.size());
    crew_.deal(batch_);
  }

  void start_workers() {
    if (finished_) return;
    std::size_t target = std::min(most_workers_, std::max(source_.size().value_or(0), pulled_));
    if (options_.num_workers && !source_.size()) target = most_workers_;
    while (alive_ < target && started_ < most_workers_) {
      try {
        crew_.start_worker();
      } catch (const std::system_error&) {
        if (alive_ == 0) throw;
        most_workers_ = started_;  // fewer threads than wished for will do
        return;
      }
      ++alive_;
      tell({.kind = EventKind::worker_started, .worker = static_cast<int>(started_++)});
    }
    if (alive_ == 0)
      give_up(Ending::abandoned, "worker_init failed in every thread, at last with " + last_init_failure_);
  }

  void give_up(Ending ending, std::string why) {
    if (given_up_) return;
    given_up_ = Failure{.ending = ending, .type = {}, .what = std::move(why), .backtrace = {}};
    for (Task& task : crew_.take_back()) {
      ++counted_.taken_back;
      batch_.push_back(std::move(task));
    }
    for (auto& [when, task] : later_) batch_.push_back(std::move(task));
    later_.clear();
    end_batch();
  }

  void end_batch() {
    for (Task& task : std::exchange(batch_, {})) {
      const unsigned made = task.attempt - 1;
      Failure failure = *given_up_;
      if (made > 0) failure.what += " again (attempts made: " + std::to_string(made) + ")";
      settle(task.index, made, 0, Outcome<R>(std::move(failure), {.attempts = made}));
    }
  }

  void batch_due_retries() {
    while (!later_.empty() && later_.begin()->first <= Clock::now())
      batch_.push_back(std::move(later_.extract(later_.begin()).mapped()));
    deal();
  }

  void wait() {
    if (options_.stop.stop_requested() && !given_up_) return;  // its nudge may have been spent on an earlier collect()
    const Clock::time_point look_round = deadline_after(options_.per_sync_timeout);
    const bool retry_first = !later_.empty() && later_.begin()->first < look_round;
    ++counted_.coordinator_wakeups;
    if (collect(retry_first ? later_.begin()->first : look_round) || Clock::now() < look_round) return;
    tell({.kind = EventKind::heartbeat});
    if (!std::exchange(said_waiting_, true))
      log_queue_timeout("threaded work: no result within per_sync_timeout; waiting again (said once a run)");
  }

  bool collect(Clock::time_point until) {
    const std::size_t in_hand = unsettled_ - std::min(unsettled_, later_.size());
    const bool any = crew_.collect(reports_, prompt_ ? 1 : std::max<std::size_t>(1, in_hand / 2), until);
    for (Report& report : reports_) take_in(report);
    return any;
  }

  void take_in(Report& report) {
    Event event{.when = report.when, .task = report.index, .attempt = report.attempt, .worker = report.worker};
    switch (report.kind) {
      case ReportKind::started:
        event.kind = EventKind::task_started;
        return tell(event);
      case ReportKind::output:
        event.kind = EventKind::task_output;
        event.channel = report.channel;
        event.output = report.bytes;
        counted_.output_bytes += report.bytes.size();
        return tell(event);
      case ReportKind::gave_up:
        --alive_;
        last_init_failure_ = report.outcome.error().describe();
        event.kind = EventKind::worker_died;
        event.failure = &report.outcome.error();
        event.ending = event.failure->ending;
        tell(event);
        return start_workers();
      case ReportKind::finished:
        return take_in_attempt(report);
    }
  }

  void take_in_attempt(Report& report) {
    const Verdict verdict = report.item && !given_up_
                                ? judge(options_.retry, report.outcome.ending(), report.attempt, jitter_(random_))
                                : Verdict{};
    if (!verdict.again) return settle(report.index, report.attempt, report.worker, std::move(report.outcome));
    ++counted_.retried;
    tell({.kind = EventKind::attempt_lost,
          .when = report.when,
          .task = report.index,
          .attempt = report.attempt,
          .worker = report.worker,
          .ending = report.outcome.ending(),
          .failure = &report.outcome.error(),
          .stats = report.outcome.stats()});
    later_.emplace(Clock::now() + verdict.delay, Task{report.index, report.attempt + 1, {}, std::move(*report.item)});
  }

  void settle(std::size_t index, unsigned attempt, int worker, Outcome<R>&& outcome) {
    if (unsettled_ == 0) throw std::logic_error("bulkhead: more outcomes than items");
    if (options_.on_event)
      tell({.kind = EventKind::task_finished,
            .task = index,
            .attempt = attempt,
            .worker = worker,
            .ending = outcome.ending(),
            .failure = outcome.has_value() ? nullptr : &outcome.error(),
            .stats = outcome.stats()});
    ready_.put(index, std::move(outcome));
    --unsettled_;
  }

  void finish() {
    crew_.close_and_join();
    counted_ = statistics();
    finished_ = true;
    collect(Clock::now());  // a thread whose worker_init failed after all was done
    tell_finished();
    if (pulled_ != ready_.delivered()) throw std::logic_error("bulkhead: the numbers of items and outcomes differ");
    if (input_error_) std::rethrow_exception(std::exchange(input_error_, nullptr));
  }

  void abort() noexcept {
    on_stop_.reset();
    crew_.discard();
    counted_ = statistics();
    finished_ = true;
  }

  void tell_finished() { tell({.kind = EventKind::run_finished, .statistics = &counted_}); }

  void tell(Event event) {
    if (!options_.on_event) return;
    if (event.when == Clock::time_point{}) event.when = Clock::now();
    options_.on_event(event);
  }

  const WorkOptions options_;
  ItemSource<Items> source_;
  F func_;
  Crew crew_;
  std::optional<std::stop_callback<StopCrew>> on_stop_;
  ReadyResults<R> ready_;
  const bool prompt_;
  std::size_t most_workers_;
  const std::size_t window_;  // items pulled and not delivered: what bounds the memory

  std::vector<Task> batch_;                       // pulled, about to be dealt
  std::multimap<Clock::time_point, Task> later_;  // attempts that wait for their time
  std::vector<Report> reports_;
  WorkStatistics counted_;  // what follows from nothing else; of the whole run once that is finished
  Clock::time_point began_{};
  std::chrono::nanoseconds cpu_at_start_{};
  std::size_t pulled_ = 0, unsettled_ = 0, alive_ = 0, started_ = 0;
  std::optional<Failure> given_up_;
  std::exception_ptr input_error_;
  std::string last_init_failure_;
  bool source_done_ = false, begun_ = false, finished_ = false, said_waiting_ = false;
  std::minstd_rand random_{std::random_device{}()};
  std::uniform_real_distribution<double> jitter_{0.0, 1.0};
};

}  // namespace bulkhead::detail
