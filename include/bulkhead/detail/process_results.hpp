// The results of work in processes, one after the other: whose turn it is, what is held until then, and when to wait.
#pragma once

#include <bulkhead/detail/coded_task.hpp>
#include <bulkhead/detail/held_runs.hpp>
#include <bulkhead/detail/kept_outcomes.hpp>
#include <bulkhead/detail/process_engine.hpp>
#include <bulkhead/detail/process_feed.hpp>
#include <bulkhead/detail/reorder.hpp>
#include <bulkhead/options.hpp>
#include <bulkhead/outcome.hpp>
#include <bulkhead/work_statistics.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// Stands at a result, or at its end. Knows nothing of the function: whatever is done with the items, one of these is
/// compiled for a kind of items and results. Used by one thread.
template <class Items, class R>
class ProcessResults {
 public:
  static constexpr std::size_t window = 1u << 16;         ///< tasks
  static constexpr std::size_t window_bytes = 64u << 20;  ///< encoded results that wait for their turn

  ProcessResults(Items&& items, std::unique_ptr<TaskBody> body, const WorkOptions& options)
      : feed_(std::forward<Items>(items), options),
        engine_(std::move(body), options),
        ordered_(options.preserve_result_ordering) {}

  void start() {
    if (feed_.size() != 0) engine_.start();
  }

  // The one result after the other of a run is all that most steps are: kept so short that it is part of the caller's
  // loop.
  void advance() {
    if (taken_ < run_.count) [[likely]]
      take_of_run();
    else
      look_for_next();
  }

  bool at_end() const noexcept { return at_end_; }
  Indexed<R>& current() noexcept { return current_; }

  bool ready() const noexcept {
    if (taken_ < run_.count || (!ordered_ && !fresh_.empty())) return true;
    return waiting_.front_is_there() || held_.has(waiting_.front_index()) ||
           (!fresh_.empty() && waiting_.is_next(fresh_.front().task));
  }

  WorkStatistics statistics() const noexcept { return engine_.statistics(); }

 private:
  using Feed = ProcessFeed<Items>;

  [[gnu::noinline]] void look_for_next() {
    while (!at_end_ && !take_next()) wait();
  }

  bool take_next() {
    if (ordered_ && waiting_.take_front(current_.outcome)) {
      current_.index = static_cast<std::size_t>(waiting_.front_index()) - 1;
      return true;
    }
    if (ordered_ && held_.has(waiting_.front_index())) {
      begin_run(held_.take());
      waiting_.pass_held(run_.count, run_.size);
      return take_of_run();
    }
    return take_fresh();
  }
  bool take_fresh() {
    for (; !fresh_.empty(); fresh_ = fresh_.subspan(1)) {
      Completion& done = fresh_.front();
      if (ordered_ && !waiting_.is_next(done.task)) {
        hold(done);
        continue;
      }
      fresh_ = fresh_.subspan(1);
      if (ordered_) waiting_.pass_front(done.count);
      if (done.count > 1) {
        begin_run(done);
        return take_of_run();
      }
      current_.index = static_cast<std::size_t>(done.task);
      outcome_into(current_.outcome, done);
      return true;
    }
    return false;
  }
  void hold(Completion& done) {
    if (done.count > 1) {
      held_.put(done);
      waiting_.note_held(done.count, done.size);
    } else {
      waiting_.put(done.task, outcome_of<R>(done), done.size);
    }
  }
  void begin_run(const Completion& next) noexcept {
    run_ = next;
    taken_ = 0;
  }
  bool take_of_run() {
    current_.index = static_cast<std::size_t>(run_.task) + taken_;
    outcome_into(current_.outcome, run_, taken_++);
    return true;
  }

  int feed_what_may_be() {
    return feed_.feed(engine_, [this](std::uint64_t index) {
      return !ordered_ || (index - waiting_.front_index() < window && waiting_.bytes_expected(index) < window_bytes);
    });
  }

  void wait() {
    if (engine_.wait(feed_what_may_be()) == Wake::completions) {
      fresh_ = engine_.completions();
      if constexpr (Feed::never_waits) {  // so that nobody runs out of tasks while these are delivered
        feed_what_may_be();
        engine_.publish();
      }
    } else if (engine_.outstanding() == 0 && (feed_.ended() || engine_.closed())) {
      at_end_ = true;
      engine_.finish();
      if (feed_.error()) std::rethrow_exception(feed_.error());
    }
  }

  Feed feed_;
  ProcessEngine engine_;
  bool ordered_;
  bool at_end_ = false;
  Reorder<R> waiting_;  // for their turn; runs of many are held as they came
  HeldRuns held_;
  std::span<Completion> fresh_;
  Completion run_;         // whose results are delivered now
  std::size_t taken_ = 1;  // how many of them were: all
  Indexed<R> current_;
};

/// All of them, in the order of the items or as they come.
template <class Items, class R>
std::vector<Outcome<R>> all_process_results(Items&& items, std::unique_ptr<TaskBody> body, const WorkOptions& options) {
  using Feed = ProcessFeed<Items>;
  Feed feed(std::forward<Items>(items), options);
  ProcessEngine engine(std::move(body), options);
  KeptOutcomes<R> kept(feed.size());
  if (feed.size() != 0) engine.start();
  std::size_t ended = 0;
  for (;;) {
    const int input = feed.feed(engine, [](std::uint64_t) { return true; });
    const Wake wake = engine.wait(input);
    if (wake == Wake::idle && (feed.ended() || engine.closed())) break;
    if (wake != Wake::completions) continue;
    if constexpr (Feed::never_waits) {  // so that nobody runs out of tasks meanwhile
      feed.feed(engine, [](std::uint64_t) { return true; });
      engine.publish();
    }
    for (Completion& done : engine.completions()) {
      const std::size_t place = options.preserve_result_ordering ? static_cast<std::size_t>(done.task) : ended;
      keep_outcomes(kept, place, done);
      ended += done.count;
    }
  }
  engine.finish();
  if (feed.error()) std::rethrow_exception(feed.error());
  if (feed.size()) kept.resize(*feed.size());
  // Closed before every item was taken on: those have an outcome as well.
  if (const Failure* const why = engine.why_closed())
    for (std::size_t i = static_cast<std::size_t>(feed.fed()); i < kept.size(); ++i) kept.put(i, Outcome<R>(*why));
  return kept.take();
}

}  // namespace bulkhead::detail
