// do_process_work and process_stream: the doors to the process executor.
#pragma once

#include <bulkhead/detail/caller_memory.hpp>
#include <bulkhead/detail/coded_task.hpp>
#include <bulkhead/detail/held_runs.hpp>
#include <bulkhead/detail/process_engine.hpp>
#include <bulkhead/detail/process_feed.hpp>
#include <bulkhead/detail/reorder.hpp>
#include <bulkhead/options.hpp>
#include <bulkhead/outcome.hpp>

#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace bulkhead {
namespace detail {

template <class Items, class F>
using WorkResult = TaskResult<std::remove_reference_t<F>, ItemOf<Items>>;

}  // namespace detail

/// Results of process_stream: an input range of Indexed<R>, one pass, move-only.
///
/// Lazy on both sides: items are pulled while results are taken, in the consumer's thread, and at most `window` of them
/// are under way or wait for their turn. For one thread, the one that made it: workers end when that thread ends.
/// Destroying it early ends the workers at once. What the items' range throws comes out of ++ or begin() after every
/// result of the items before.
template <class Items, class F>
class ProcessStream {
 public:
  using R = detail::WorkResult<Items, F>;
  static constexpr std::size_t window = 1u << 16;         ///< tasks
  static constexpr std::size_t window_bytes = 64u << 20;  ///< encoded results that wait for their turn

  ProcessStream(Items&& items, F&& func, const WorkOptions& options)
      : state_(std::make_unique<State>(std::forward<Items>(items), std::forward<F>(func), options)) {}

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Indexed<R>;
    using difference_type = std::ptrdiff_t;

    explicit iterator(ProcessStream& stream) noexcept : stream_(&stream) {}
    Indexed<R>& operator*() const noexcept { return stream_->state_->current; }
    Indexed<R>* operator->() const noexcept { return &stream_->state_->current; }
    iterator& operator++() {
      stream_->state_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept { return it.at_end(); }

   private:
    bool at_end() const noexcept { return stream_->state_->at_end; }
    ProcessStream* stream_;
  };

  /// Starts the work. Call it once.
  iterator begin() {
    state_->start();
    state_->advance();
    return iterator(*this);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

  /// True: the next ++ takes a result that has come already. False: it may have to wait, so this is the moment to flush
  /// what was made of the results so far.
  bool ready() const noexcept { return state_->ready(); }

  /// So far; also before begin() and after the last result. In the thread that takes the results.
  WorkStatistics statistics() const noexcept { return state_->engine.statistics(); }

 private:
  using Func = std::decay_t<F>;
  using Feed = detail::ProcessFeed<Items>;
  using Body = detail::CodedTask<typename Feed::Item, R, Func>;

  struct State {
    State(Items&& items, F&& func, const WorkOptions& options)
        : feed(std::forward<Items>(items), options),
          engine(std::make_unique<Body>(std::forward<F>(func), options), options),
          ordered(options.preserve_result_ordering) {}

    void start() {
      if (feed.size() != 0) engine.start();
    }

    // The one result after the other of a run is all that most steps are: kept so short that it is part of the caller's
    // loop.
    void advance() {
      if (taken < run.count) [[likely]]
        take_of_run();
      else
        look_for_next();
    }
    [[gnu::noinline]] void look_for_next() {
      while (!at_end && !take_next()) wait();
    }

    bool take_next() {
      if (ordered && waiting.take_front(current.outcome)) {
        current.index = static_cast<std::size_t>(waiting.front_index()) - 1;
        return true;
      }
      if (ordered && held.has(waiting.front_index())) {
        begin_run(held.take());
        waiting.pass_held(run.count, run.size);
        return take_of_run();
      }
      return take_fresh();
    }
    bool take_fresh() {
      for (; !fresh.empty(); fresh = fresh.subspan(1)) {
        detail::Completion& done = fresh.front();
        if (ordered && !waiting.is_next(done.task)) {
          hold(done);
          continue;
        }
        fresh = fresh.subspan(1);
        if (ordered) waiting.pass_front(done.count);
        if (done.count > 1) {
          begin_run(done);
          return take_of_run();
        }
        current.index = static_cast<std::size_t>(done.task);
        detail::outcome_into(current.outcome, done);
        return true;
      }
      return false;
    }
    void hold(detail::Completion& done) {
      if (done.count > 1) {
        held.put(done);
        waiting.note_held(done.count, done.size);
      } else {
        waiting.put(done.task, detail::outcome_of<R>(done), done.size);
      }
    }
    void begin_run(const detail::Completion& next) noexcept {
      run = next;
      taken = 0;
    }
    bool take_of_run() {
      current.index = static_cast<std::size_t>(run.task) + taken;
      detail::outcome_into(current.outcome, run, taken++);
      return true;
    }

    bool ready() const noexcept {
      if (taken < run.count || (!ordered && !fresh.empty())) return true;
      return waiting.front_is_there() || held.has(waiting.front_index()) ||
             (!fresh.empty() && waiting.is_next(fresh.front().task));
    }

    int feed_what_may_be() {
      return feed.feed(engine, [this](std::uint64_t index) {
        return !ordered || (index - waiting.front_index() < window && waiting.bytes_expected(index) < window_bytes);
      });
    }

    void wait() {
      if (engine.wait(feed_what_may_be()) == detail::Wake::completions) {
        fresh = engine.completions();
        if constexpr (Feed::never_waits) {  // so that nobody runs out of tasks while these are delivered
          feed_what_may_be();
          engine.publish();
        }
      } else if (engine.outstanding() == 0 && (feed.ended() || engine.closed())) {
        at_end = true;
        engine.finish();
        if (feed.error()) std::rethrow_exception(feed.error());
      }
    }

    Feed feed;
    detail::ProcessEngine engine;
    bool ordered;
    bool at_end = false;
    detail::Reorder<R> waiting;  // for their turn; runs of many are held as they came
    detail::HeldRuns held;
    std::span<detail::Completion> fresh;
    detail::Completion run;  // whose results are delivered now
    std::size_t taken = 1;   // how many of them were: all
    Indexed<R> current;
  };

  std::unique_ptr<State> state_;
};

/// Runs `func` on every item in worker processes and returns an outcome for each: results[i] belongs to the i-th item
/// (with `preserve_result_ordering` false: in the order they ended). A task that crashes, hangs or exits costs itself
/// and nothing else.
///
/// `func` is any callable, captures included; it runs in forked children of the calling thread and may take a
/// std::stop_token second. Items and results are what cereal can serialize; void results too. Fork-safe only as far as
/// `func` is: it must not need a lock that another thread of the host may hold (in hosts with threads use a
/// ProcessPool). Blocks until all is done. Throws std::invalid_argument for options that cannot be meant,
/// std::system_error where set-up fails, and what the items' range throws, once the work that had started is done.
///
/// The process twin of `do_threaded_work` of the article on threads, queues and processes.
template <class Items, class F>
auto do_process_work(Items&& items, F&& func, const WorkOptions& options = {})
    -> std::vector<Outcome<detail::WorkResult<Items, F>>> {
  using R = detail::WorkResult<Items, F>;
  using Feed = detail::ProcessFeed<Items>;
  using Body = detail::CodedTask<typename Feed::Item, R, std::remove_reference_t<F>&>;

  Feed feed(std::forward<Items>(items), options);
  detail::ProcessEngine engine(std::make_unique<Body>(func, options), options);
  std::vector<Outcome<R>> results;
  detail::CallerMemory kept;  // advised before the first touch
  if (const auto count = feed.size()) {
    results.reserve(*count);
    kept = detail::CallerMemory(results.data(), *count * sizeof(Outcome<R>));
  }
  if (feed.size() != 0) engine.start();
  std::size_t ended = 0;
  for (;;) {
    const int input = feed.feed(engine, [](std::uint64_t) { return true; });
    const detail::Wake wake = engine.wait(input);
    if (wake == detail::Wake::idle && (feed.ended() || engine.closed())) break;
    if (wake != detail::Wake::completions) continue;
    if constexpr (Feed::never_waits) {  // so that nobody runs out of tasks meanwhile
      feed.feed(engine, [](std::uint64_t) { return true; });
      engine.publish();
    }
    for (detail::Completion& done : engine.completions()) {
      const std::size_t place = options.preserve_result_ordering ? static_cast<std::size_t>(done.task) : ended;
      if (place + done.count > results.size()) results.resize(place + done.count);  // touched once, and warm then
      detail::outcomes_into(std::span(results).subspan(place, done.count), done);
      ended += done.count;
    }
  }
  engine.finish();
  if (feed.error()) std::rethrow_exception(feed.error());
  if (feed.size()) results.resize(*feed.size());
  // Closed before every item was taken on: those have an outcome as well.
  if (const Failure* const why = engine.why_closed())
    for (std::size_t i = static_cast<std::size_t>(feed.fed()); i < results.size(); ++i) results[i] = Outcome<R>(*why);
  return results;
}

/// The same as a range: see ProcessStream. Lvalue ranges are referred to, rvalues are moved in.
template <class Items, class F>
auto process_stream(Items&& items, F&& func, const WorkOptions& options = {}) -> ProcessStream<Items, F> {
  return ProcessStream<Items, F>(std::forward<Items>(items), std::forward<F>(func), options);
}

}  // namespace bulkhead
