// The decisions of a threaded run: what is dealt, retried, given up, delivered. Its loop, in next(): take in what the
// workers report, deal what the window allows, deliver a result if there is one, otherwise wait for one thing to
// happen.
#pragma once

#include <bulkhead/detail/block_filler.hpp>
#include <bulkhead/detail/check_options.hpp>
#include <bulkhead/detail/cpu_clock.hpp>
#include <bulkhead/detail/deadline.hpp>
#include <bulkhead/detail/input_pace.hpp>
#include <bulkhead/detail/item_source.hpp>
#include <bulkhead/detail/kept_outcomes.hpp>
#include <bulkhead/detail/pull_window.hpp>
#include <bulkhead/detail/task_runner.hpp>
#include <bulkhead/detail/thread_crew.hpp>
#include <bulkhead/detail/thread_deliveries.hpp>
#include <bulkhead/detail/thread_retries.hpp>
#include <bulkhead/detail/thread_warnings.hpp>
#include <bulkhead/work_statistics.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// How results are wanted: each as soon as it may be had, or all of them at the end (fewer wake-ups).
enum class Delivery : std::uint8_t { each, all };

/// Knows nothing of the function but what comes of it: whatever is done with the items, one of these is compiled for a
/// kind of items and results.
template <class Items, class R>
class ThreadRun {
 public:
  using Item = ItemOf<Items>;

  /// An lvalue `func` is used where it is, an rvalue one is moved in.
  template <class F>
  ThreadRun(Items&& items, F&& func, const WorkOptions& options, Delivery delivery)
      : options_((check(options, item_survives<F, Item>), options)),
        source_(std::forward<Items>(items)),
        retries_(options_.retry),
        loop_(std::make_unique<TaskRunner<Item, R, F>>(std::forward<F>(func), stop_.get_token(), retries_.allowed())),
        crew_(*loop_, options_, stop_),
        deliveries_(delivery == Delivery::each && options.preserve_result_ordering),
        prompt_(delivery == Delivery::each || options.on_event || retries_.allowed()),
        most_workers_(options.num_workers ? options.num_workers : max_default_threads),
        window_(delivery == Delivery::each, most_workers_) {
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

  /// Whether next() takes a result that has come already.
  bool ready() const {
    if (finished_) return false;
    if (deliveries_.has_one()) return true;
    for (std::size_t i = at_report_; i < reports_.size(); ++i) {
      const Report& report = reports_[i];
      if (report.kind != ReportKind::finished || report.done.size() == 0) continue;
      const auto& block = Filler::block_of(report.done);
      const bool final = !retries_.allowed() || block.made[report.done.first].has_value();
      return final && deliveries_.is_next(block.index(report.done.first));
    }
    return false;
  }

  /// The next result. False after the last. Throws what the input range threw, after every result before it; what
  /// on_event threw; std::system_error if no thread can be had; std::logic_error if items and outcomes differ in
  /// number.
  bool next(Indexed<R>& into) {
    if (finished_) return false;
    try {
      begin();
      while (!take_next(into)) {
        if (options_.stop.stop_requested()) give_up(Ending::cancelled, "stopped on request before it was started");
        if (crew_.has_reports()) collect(Clock::now());
        put_due_retries();
        refill();
        if (has_come()) continue;
        if (ended_ == pulled_ && source_done_) return finish(), false;
        wait();
      }
    } catch (...) {
      abort();
      throw;
    }
    ++delivered_;
    return true;
  }

  /// All of them, in the order of the items or as they come. Throws what next() does.
  std::vector<Outcome<R>> all() {
    KeptOutcomes<R> kept(source_.size());
    for (Indexed<R> result; next(result); take_plain_runs(kept))
      kept.put(place_of(result.index, 1), std::move(result.outcome));
    if (kept.size() != delivered_) throw std::logic_error("bulkhead::do_threaded_work: an item has ended twice");
    return kept.take();
  }

  /// So far; final once next() has said that there is no more. In the driving thread.
  WorkStatistics statistics() const {
    WorkStatistics all = counted_;
    if (finished_ || !begun_) return all;
    const auto usage = crew_.usage();
    all.tasks = ended_;
    all.worker_wakeups = usage.wakeups;
    all.workers_started = started_;
    all.workers_ended = usage.threads_ended;
    all.workers_cpu_time = usage.cpu_time;
    all.wall_time = Clock::now() - began_;
    all.coordinator_cpu_time = thread_cpu_time() - cpu_at_start_;
    return all;
  }

 private:
  using Filler = BlockFiller<Item, R>;
  using Block = typename Filler::Block;
  using Report = ThreadReport;
  using Clock = std::chrono::steady_clock;

  struct StopCrew {
    ThreadCrew* crew;
    void operator()() const { crew->request_stop(); }
  };

  static constexpr bool may_batch = elements_are_there<std::remove_reference_t<Items>>;
  static constexpr std::chrono::milliseconds patience{1};  // of a finished result, while more input is being pulled
  static constexpr std::chrono::microseconds gathering{200};

  static void check(const WorkOptions& options, bool item_survives) {
    check_thread_options(options);
    if (options.retry.max_retries > 0 && !item_survives)
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

  // What has come so far, in its turn where there is one.
  bool take_next(Indexed<R>& into) {
    if (deliveries_.take(into)) return true;
    for (; at_report_ < reports_.size(); ++at_report_) {
      Report& report = reports_[at_report_];
      if (report.kind != ReportKind::finished) {
        take_in(report);
        continue;
      }
      while (report.done.size() != 0)
        if (take_outcome(report, into)) return true;
    }
    return false;
  }

  // The first of a report. False: it is tried again, or waits for its turn.
  bool take_outcome(Report& report, Indexed<R>& into) {
    Block& block = Filler::block_of(report.done);
    const std::uint32_t place = report.done.first++;
    const std::size_t index = block.index(place);
    const unsigned attempt = block.attempt(place);
    Outcome<R> outcome = block.made[place].take(report.stats);
    if (block.tried_before) OutcomeAccess::stats(outcome).attempts = static_cast<std::uint16_t>(attempt);
    const bool again = retries_.allowed() && keep_for_retry(report, block, place, outcome);
    filler_.settle(block, 1);
    if (again) return false;
    count_and_tell(index, attempt, report.worker, outcome);
    return deliveries_.pass(index, std::move(outcome), into);
  }

  // What nearly all are where tasks are tiny, kept short for that reason.
  void take_plain_runs(KeptOutcomes<R>& kept) {
    if (deliveries_.ordered() || retries_.allowed() || options_.on_event) return;
    for (; at_report_ < reports_.size() && reports_[at_report_].kind == ReportKind::finished; ++at_report_) {
      const Report& report = reports_[at_report_];
      const std::uint32_t tasks = report.done.size();
      if (tasks == 0) continue;  // its block may be in use again
      if (tasks > pulled_ - ended_) throw std::logic_error("bulkhead: more outcomes than items");
      Block& block = Filler::block_of(report.done);
      ended_ += tasks;
      delivered_ += tasks;
      const std::size_t first = place_of(block.index(report.done.first), tasks);
      block.take_outcomes(report.done.first, report.done.last, report.stats, first, kept);
      filler_.settle(block, tasks);
    }
  }
  // Of the last `tasks` that were delivered.
  std::size_t place_of(std::size_t index, std::size_t tasks) const noexcept {
    return options_.preserve_result_ordering ? index : delivered_ - tasks;
  }

  bool has_come() const { return at_report_ < reports_.size() || deliveries_.has_one(); }

  // Adds what the window allows, as long as nothing more urgent has come.
  void refill() {
    const Clock::time_point began = now_ = Clock::now();
    input_pace_.begin_anew();
    widen();
    while (!source_done_ && pulled_ - delivered_ < window_.size()) {
      if (given_up_) {
        end_unpulled();
        continue;
      }
      const std::size_t room = window_.size() - (pulled_ - delivered_);
      const std::size_t pulled = pull(may_batch ? std::min(room, input_pace_.until_look()) : 1);
      if (pulled == 0) break;
      if (!may_batch || input_pace_.look_is_due(pulled)) {  // what may block at the next step is not held back
        const Clock::time_point since = std::exchange(now_, Clock::now());
        if (input_pace_.hand_over(since.time_since_epoch(), now_.time_since_epoch()) || !may_batch) publish();
        if (prompt_ && (has_come() || crew_.has_reports()) && now_ - began > patience) break;
      }
    }
    publish();
  }

  void widen() {
    if (window_.is_largest()) return;
    const auto each = crew_.mean();
    const bool tiny = each != each.zero() && each < ThreadCrew::tiny;
    const bool held_up = deliveries_.ordered() && pulled_ - delivered_ >= window_.size() && crew_.has_idle();
    if (tiny || held_up) window_.widen();
  }

  // The next items, at most so many. A range that throws ends the input; the exception waits for the results before it.
  std::size_t pull(std::size_t most) {
    std::size_t count = 0;
    try {
      for (std::size_t more = 0; count < most && (more = pull_some(most - count)) != 0; count += more) {
      }
      if (count == most) return count;
    } catch (...) {
      input_error_ = std::current_exception();
    }
    source_done_ = true;
    return count;
  }

  // 0: at the end.
  std::size_t pull_some(std::size_t most) {
    std::size_t count = 0;
    if constexpr (numbers_lie_in_a_row<typename ItemSource<Items>::Range>) {
      auto places = filler_.places(pulled_);
      auto* place = places.data();
      count = source_.next(std::min(most, places.size()), [&](Item item) { (place++)->emplace(std::move(item)); });
      filler_.have_put(count);
    } else if (std::optional<Item> item = source_.next()) {
      filler_.put(pulled_, 1, std::move(*item));
      count = 1;
    }
    pulled_ += count;
    return count;
  }

  // After giving up, what the input is known to hold still gets its outcome; unknown input is left alone.
  void end_unpulled() {
    if (pulled_ >= source_.size().value_or(0)) {
      source_done_ = true;
      return;
    }
    ++pulled_;
    end(pulled_ - 1, 0, *given_up_);
  }

  void publish() {
    const std::size_t tasks = filler_.tasks();
    if (tasks == 0) return;
    start_workers();
    if (given_up_) return;
    counted_.dealt += tasks;
    ++counted_.batches;
    counted_.largest_batch = std::max<std::uint64_t>(counted_.largest_batch, tasks);
    crew_.publish(filler_.take(now_));
    input_pace_.handed_over(now_.time_since_epoch());
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
    for (const TaskSpan& span : crew_.take_back()) {
      counted_.taken_back += span.size();
      end_unbegun(span);
    }
    for (const TaskSpan& span : filler_.take({})) end_unbegun(span);
    while (const auto again = retries_.take()) end(again->index, again->number - 1, *given_up_);
  }

  void end_unbegun(const TaskSpan& span) {
    Block& block = Filler::block_of(span);
    for (std::uint32_t place = span.first; place < span.last; ++place) {
      block.items[place].reset();
      end(block.index(place), block.attempt(place) - 1, *given_up_);
      filler_.settle(block, 1);
    }
  }

  // Of a task that will not be begun (again): `made` attempts were.
  void end(std::size_t index, unsigned made, Failure failure) {
    if (made > 0) failure.what += " again (attempts made: " + std::to_string(made) + ")";
    Outcome<R> outcome(std::move(failure), {.attempts = made});
    count_and_tell(index, made, 0, outcome);
    deliveries_.keep(index, std::move(outcome));
  }

  void put_due_retries() {
    if (retries_.size() == 0) return;
    now_ = Clock::now();
    while (auto again = retries_.take(now_)) filler_.put(again->index, again->number, std::move(again->item));
    publish();
  }

  void wait() {
    if (options_.stop.stop_requested() && !given_up_) return;  // its nudge may have been spent on an earlier collect()
    const Clock::time_point look_round = deadline_after(options_.per_sync_timeout);
    ++counted_.coordinator_wakeups;
    if (collect(retries_.first_before(look_round)) || Clock::now() < look_round) return;
    tell({.kind = EventKind::heartbeat});
    if (!std::exchange(said_waiting_, true))
      log_queue_timeout("threaded work: no result within per_sync_timeout; waiting again (said once a run)");
  }

  bool collect(Clock::time_point until) {
    at_report_ = 0;
    return crew_.collect(reports_, worth_waking_for(), prompt_ ? Clock::now() + gathering : until, until);
  }

  // Half of what is in hand, so that no thread runs out of tasks meanwhile. Where each result is wanted soon, what
  // comes within a moment: to wake up for every short task would cost more than these tasks.
  std::size_t worth_waking_for() const {
    const std::size_t in_hand = pulled_ - std::min(pulled_, ended_ + retries_.size());
    const std::size_t half = std::max<std::size_t>(1, in_hand / 2);
    if (!prompt_) return half;
    const auto each = crew_.mean();
    if (each == each.zero()) return 1;
    return std::clamp<std::size_t>(alive_ * static_cast<std::size_t>(gathering / each), 1, half);
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
        last_init_failure_ = report.failure->describe();
        event.kind = EventKind::worker_died;
        event.failure = &*report.failure;
        event.ending = event.failure->ending;
        tell(event);
        return start_workers();
      case ReportKind::finished:  // see take_outcome()
        break;
    }
  }

  bool keep_for_retry(const Report& report, Block& block, std::uint32_t place, const Outcome<R>& outcome) {
    if (outcome.has_value()) return false;
    Item item = std::move(*block.items[place]);
    block.items[place].reset();
    const Verdict verdict = given_up_ ? Verdict{} : retries_.judge(outcome.ending(), block.attempt(place));
    if (!verdict.again) return false;
    ++counted_.retried;
    tell({.kind = EventKind::attempt_lost,
          .when = report.when,
          .task = block.index(place),
          .attempt = block.attempt(place),
          .worker = report.worker,
          .ending = outcome.ending(),
          .failure = &outcome.error(),
          .stats = outcome.stats()});
    retries_.put(Clock::now() + verdict.delay, {block.index(place), block.attempt(place) + 1, std::move(item)});
    return true;
  }

  void count_and_tell(std::size_t index, unsigned attempt, int worker, const Outcome<R>& outcome) {
    if (ended_ == pulled_) throw std::logic_error("bulkhead: more outcomes than items");
    ++ended_;
    if (!options_.on_event) return;
    tell({.kind = EventKind::task_finished,
          .task = index,
          .attempt = attempt,
          .worker = worker,
          .ending = outcome.ending(),
          .failure = outcome.has_value() ? nullptr : &outcome.error(),
          .stats = outcome.stats()});
  }

  void finish() {
    crew_.close_and_join();
    counted_ = statistics();
    finished_ = true;
    collect(Clock::now());  // a thread whose worker_init failed after all was done
    for (Report& report : reports_) take_in(report);
    tell_finished();
    if (pulled_ != delivered_) throw std::logic_error("bulkhead: the numbers of items and outcomes differ");
    if (input_error_) std::rethrow_exception(std::exchange(input_error_, nullptr));
  }

  void abort() noexcept {
    on_stop_.reset();
    stop_.request_stop();
    for (const auto& spans : {filler_.take({}), crew_.take_back()})
      for (const TaskSpan& span : spans)
        for (std::uint32_t place = span.first; place < span.last; ++place) Filler::block_of(span).items[place].reset();
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
  std::stop_source stop_;
  ThreadRetries<Item> retries_;
  const std::unique_ptr<TaskLoop> loop_;
  Filler filler_;
  ThreadCrew crew_;
  std::optional<std::stop_callback<StopCrew>> on_stop_;
  ThreadDeliveries<R> deliveries_;
  const bool prompt_;
  std::size_t most_workers_;
  PullWindow window_;  // of what was pulled and not delivered

  InputPace input_pace_;
  std::vector<Report> reports_;  // those before at_report_ have been taken in
  std::size_t at_report_ = 0;
  WorkStatistics counted_;  // what follows from nothing else; of the whole run once that is finished
  Clock::time_point began_{}, now_{};
  std::chrono::nanoseconds cpu_at_start_{};
  std::size_t pulled_ = 0, ended_ = 0, delivered_ = 0, alive_ = 0, started_ = 0;
  std::optional<Failure> given_up_;
  std::exception_ptr input_error_;
  std::string last_init_failure_;
  bool source_done_ = false, begun_ = false, finished_ = false, said_waiting_ = false;
};

}  // namespace bulkhead::detail
