// A threaded run: what is dealt, and when it is given up. Its loop, in next(): deliver a result if there is one, take
// in what the threads report, deal what the window allows, otherwise wait for one thing to happen.
#pragma once

#include <bulkhead/detail/block_filler.hpp>
#include <bulkhead/detail/check_options.hpp>
#include <bulkhead/detail/cpu_clock.hpp>
#include <bulkhead/detail/deadline.hpp>
#include <bulkhead/detail/event_teller.hpp>
#include <bulkhead/detail/input_pace.hpp>
#include <bulkhead/detail/item_source.hpp>
#include <bulkhead/detail/kept_outcomes.hpp>
#include <bulkhead/detail/pull_window.hpp>
#include <bulkhead/detail/task_runner.hpp>
#include <bulkhead/detail/thread_crew.hpp>
#include <bulkhead/detail/thread_settling.hpp>
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
        tell_(options_.on_event),
        source_(std::forward<Items>(items)),
        loop_(std::make_unique<TaskRunner<Item, R, F>>(std::forward<F>(func), stop_.get_token(),
                                                       options_.retry.max_retries > 0)),
        settling_(options_, delivery == Delivery::each && options.preserve_result_ordering, filler_),
        crew_(*loop_, options_, stop_),
        prompt_(delivery == Delivery::each || options.on_event || settling_.retries().allowed()),
        most_workers_(options.num_workers ? options.num_workers : max_default_threads),
        window_(delivery == Delivery::each, most_workers_) {}
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
  bool ready() const { return !finished_ && settling_.ready(); }

  /// The next result. False after the last. Throws what the input range threw, after every result before it; what
  /// on_event threw; std::system_error if no thread can be had; std::logic_error if items and outcomes differ in
  /// number.
  bool next(Indexed<R>& into) {
    if (finished_) return false;
    try {
      begin();
      while (!take_next(into)) {
        if (options_.stop.stop_requested()) give_up(Ending::cancelled, "stopped on request before it was started");
        if (crew_.has_reports()) collect(worth_waking_for(), Clock::now());
        put_due_retries();
        refill();
        if (settling_.has_come()) continue;
        if (settling_.ended() == settling_.expected() && source_done_) return finish(), false;
        wait();
      }
    } catch (...) {
      abort();
      throw;
    }
    return true;
  }

  /// All of them, in the order of the items or as they come. Throws what next() does.
  std::vector<Outcome<R>> all() {
    KeptOutcomes<R> kept(source_.size());
    const bool own_places = options_.preserve_result_ordering;
    for (Indexed<R> result; next(result); settling_.take_plain_runs(kept, own_places))
      kept.put(own_places ? result.index : settling_.delivered() - 1, std::move(result.outcome));
    if (kept.size() != settling_.delivered())
      throw std::logic_error("bulkhead::do_threaded_work: an item has ended twice");
    return kept.take();
  }

  /// So far; final once next() has said that there is no more. In the driving thread.
  WorkStatistics statistics() const {
    WorkStatistics all = counted_;
    if (finished_ || !begun_) return all;
    const auto usage = crew_.usage();
    settling_.add_counts(all);
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
  using Clock = std::chrono::steady_clock;

  static constexpr bool may_batch = elements_are_there<std::remove_reference_t<Items>>;
  static constexpr std::chrono::milliseconds patience{1};  // of a finished result, while more input is being pulled
  // A wake-up of the driver takes a core 30 to 70 us, and what it brings with it as much again: one each 200 us took a
  // fifth of what two threads could do.
  static constexpr std::chrono::microseconds gathering_at_least{200}, gathering_at_most{1000};

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
    tell_({.kind = EventKind::run_started});
  }

  bool take_next(Indexed<R>& into) {
    for (;;) {
      const Settled settled = settling_.take(into);
      if (settled != Settled::worker_gave_up) return settled == Settled::result;
      note_loss(settling_.gave_up());
      start_workers();
    }
  }

  void note_loss(const ThreadReport& report) {
    --alive_;
    last_init_failure_ = report.failure->describe();
    tell_({.kind = EventKind::worker_died,
           .when = report.when,
           .worker = report.worker,
           .ending = report.failure->ending,
           .failure = &*report.failure});
  }

  // Adds what the window allows, as long as nothing more urgent has come.
  void refill() {
    const Clock::time_point began = now_ = Clock::now();
    input_pace_.begin_anew();
    widen();
    while (!source_done_ && undelivered() < window_.size()) {
      if (given_up_) {
        end_unpulled();
        continue;
      }
      const std::size_t room = window_.size() - undelivered();
      const std::size_t pulled = pull(may_batch ? std::min(room, input_pace_.until_look()) : 1);
      if (pulled == 0) break;
      if (!may_batch || input_pace_.look_is_due(pulled)) {  // what may block at the next step is not held back
        const Clock::time_point since = std::exchange(now_, Clock::now());
        if (input_pace_.hand_over(since.time_since_epoch(), now_.time_since_epoch()) || !may_batch) publish();
        if (prompt_ && (settling_.has_come() || crew_.has_reports()) && now_ - began > patience) break;
      }
    }
    publish();
  }

  std::size_t undelivered() const noexcept { return settling_.expected() - settling_.delivered(); }

  void widen() {
    if (window_.is_largest()) return;
    const bool soon_done = window_.is_soon_done(crew_.mean(), alive_);
    const bool held_up = settling_.ordered() && undelivered() >= window_.size() && crew_.has_idle();
    if (soon_done || held_up) window_.widen();
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
      auto places = filler_.places(settling_.expected());
      auto* place = places.data();
      count = source_.next(std::min(most, places.size()), [&](Item item) { (place++)->emplace(std::move(item)); });
      filler_.have_put(count);
    } else if (std::optional<Item> item = source_.next()) {
      filler_.put(settling_.expected(), 1, std::move(*item));
      count = 1;
    }
    settling_.expect(count);
    return count;
  }

  // After giving up, what the input is known to hold still gets its outcome; unknown input is left alone.
  void end_unpulled() {
    const std::size_t index = settling_.expected();
    if (index >= source_.size().value_or(0)) {
      source_done_ = true;
      return;
    }
    settling_.expect(1);
    settling_.end(index, 0, *given_up_);
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
    std::size_t target = std::min(most_workers_, std::max(source_.size().value_or(0), settling_.expected()));
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
      tell_({.kind = EventKind::worker_started, .worker = static_cast<int>(started_++)});
    }
    if (alive_ == 0)
      give_up(Ending::abandoned, "worker_init failed in every thread, at last with " + last_init_failure_);
  }

  void give_up(Ending ending, std::string why) {
    if (given_up_) return;
    given_up_ = Failure{.ending = ending, .type = {}, .what = std::move(why), .backtrace = {}};
    for (const TaskSpan& span : crew_.take_back()) {
      counted_.taken_back += span.size();
      settling_.end_unbegun(span, *given_up_);
    }
    for (const TaskSpan& span : filler_.take({})) settling_.end_unbegun(span, *given_up_);
    settling_.give_up(*given_up_);
  }

  void put_due_retries() {
    if (settling_.retries().size() == 0) return;
    now_ = Clock::now();
    while (auto again = settling_.retries().take(now_))
      filler_.put(again->index, again->number, std::move(again->item));
    publish();
  }

  void wait() {
    if (options_.stop.stop_requested() && !given_up_) return;  // its nudge may have been spent on an earlier collect()
    const Clock::time_point look_round = deadline_after(options_.per_sync_timeout);
    ++counted_.coordinator_wakeups;
    const std::size_t wanted = worth_waking_for();
    const std::size_t came = collect(wanted, settling_.retries().first_before(look_round));
    // Where those that came were not even half of one thread's work, those in hand may wait for what these bring about.
    const bool few = came < wanted && 2 * came * crew_.mean() < gathering_;
    gathering_ = few ? gathering_at_least : gathering_at_most;
    if (came != 0 || Clock::now() < look_round) return;
    tell_({.kind = EventKind::heartbeat});
    if (!std::exchange(said_waiting_, true))
      log_queue_timeout("threaded work: no result within per_sync_timeout; waiting again (said once a run)");
  }

  std::size_t collect(std::size_t at_least, Clock::time_point until) {
    return crew_.collect(settling_.next_reports(), at_least, prompt_ ? Clock::now() + gathering_ : until, until);
  }

  // Half of what is in hand, so that no thread runs out of tasks meanwhile. Where each result is wanted soon, what
  // comes within a moment: to wake up for every short task would cost more than these tasks.
  std::size_t worth_waking_for() const {
    const std::size_t half = std::max<std::size_t>(1, settling_.in_hand() / 2);
    if (!prompt_) return half;
    const auto each = crew_.mean();
    if (each == each.zero()) return 1;
    return std::clamp<std::size_t>(alive_ * static_cast<std::size_t>(gathering_ / each), 1, half);
  }

  void finish() {
    crew_.close_and_join();
    counted_ = statistics();
    finished_ = true;
    collect(worth_waking_for(), Clock::now());  // a thread whose worker_init failed after all was done
    for (Indexed<R> none; settling_.take(none) == Settled::worker_gave_up;) note_loss(settling_.gave_up());
    tell_finished();
    if (undelivered() != 0) throw std::logic_error("bulkhead: the numbers of items and outcomes differ");
    if (input_error_) std::rethrow_exception(std::exchange(input_error_, nullptr));
  }

  void abort() noexcept {
    stop_.request_stop();
    for (const auto& spans : {filler_.take({}), crew_.take_back()})
      for (const TaskSpan& span : spans)
        for (std::uint32_t place = span.first; place < span.last; ++place) Filler::block_of(span).items[place].reset();
    crew_.discard();
    counted_ = statistics();
    finished_ = true;
  }

  void tell_finished() { tell_({.kind = EventKind::run_finished, .statistics = &counted_}); }

  const WorkOptions options_;
  const EventTeller tell_;
  ItemSource<Items> source_;
  std::stop_source stop_;
  // Results may refer to what the function owns, so they go before it; and the threads before all.
  const std::unique_ptr<TaskLoop> loop_;
  Filler filler_;
  ThreadSettling<Item, R> settling_;
  ThreadCrew crew_;
  const bool prompt_;
  std::size_t most_workers_;
  PullWindow window_;  // of what was pulled and not delivered
  std::chrono::microseconds gathering_ = gathering_at_most;

  InputPace input_pace_;
  WorkStatistics counted_;  // what follows from nothing else; of the whole run once that is finished
  Clock::time_point began_{}, now_{};
  std::chrono::nanoseconds cpu_at_start_{};
  std::size_t alive_ = 0, started_ = 0;
  std::optional<Failure> given_up_;
  std::exception_ptr input_error_;
  std::string last_init_failure_;
  bool source_done_ = false, begun_ = false, finished_ = false, said_waiting_ = false;
};

}  // namespace bulkhead::detail
