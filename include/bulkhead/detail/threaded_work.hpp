// do_threaded_work and threaded_stream: work done by threads of this process. <bulkhead/work.hpp> is the door to it.
#pragma once

#include <bulkhead/detail/thread_run.hpp>

#include <iterator>
#include <memory>
#include <ranges>

namespace bulkhead {

namespace detail {

template <class Items, class F>
concept ThreadedWork = std::ranges::input_range<Items> && TaskFunction<F, ItemOf<Items>>;

}  // namespace detail

/// Applies `func` to each of `items` in threads of this process and returns the outcomes: `do_threaded_work` in the
/// article on threads, queues and processes this is ported from.
///
/// `results[i]` belongs to the i-th item; with `preserve_result_ordering = false` they are in the order they ended.
/// `func(item)`, or `func(item, std::stop_token)` or `func(item, StopRequest)` to be told of a stop, is called by
/// several threads at once, on one object, each time with an item of its own. What it throws is that item's outcome. A
/// reference it returns is copied from: an outcome owns its value.
///
/// `items`: any input range; pulled in the calling thread, at most 16,384 items (or four a worker) ahead of the work.
/// Elements are copied out of lvalues and views, moved out of an rvalue container or a single-pass range of what cannot
/// be copied. If the range throws, the work that was begun is finished, then the exception passes and the outcomes are
/// lost: use threaded_stream() to have those.
///
/// `options`: `num_workers = 0` means one thread per item, at most max_default_threads. Once `stop` is requested no
/// further item is started: those not started are `cancelled`, as is the rest of a range that knows its size; of other
/// ranges no more is pulled. `worker_init` and `worker_exit` run in each thread, possibly at the same time; a thread
/// whose `worker_init` throws gives up, and if all have, what remains is `abandoned`. `prefetch`, `kill_grace` and
/// `respawn` mean nothing to threads. A wait of `per_sync_timeout` in which nothing happens is a heartbeat, and begun
/// again (the first one is also logged as a warning). `on_event` is called in the calling thread only; what it throws
/// ends the run and passes. Logging is left as it is: call start_logging_with_thread_info() around it if you like.
///
/// Throws std::invalid_argument for options that cannot be meant or that threads cannot honour (time-outs, limits,
/// isolation, and retries of an item that cannot be copied and that `func` may consume); std::system_error if no thread
/// can be started. Safe to call from several threads, and from within `func`. Do not fork while it runs.
template <class Items, class F>
requires detail::ThreadedWork<Items, F>
auto do_threaded_work(Items&& items, F&& func, const WorkOptions& options = {})
    -> std::vector<Outcome<detail::TaskResult<F, detail::ItemOf<Items>>>> {
  using R = detail::TaskResult<F, detail::ItemOf<Items>>;
  return detail::ThreadRun<Items, R>(std::forward<Items>(items), std::forward<F>(func), options, detail::Delivery::all)
      .all();
}

/// The same with the article's parameters in their order. `num_threads` 0 stands for its `None`; `per_sync_timeout`
/// defaults to one second.
template <class Items, class F>
requires detail::ThreadedWork<Items, F>
auto do_threaded_work(Items&& items, F&& func, std::size_t num_threads,
                      std::chrono::milliseconds per_sync_timeout = std::chrono::seconds(1),
                      bool preserve_result_ordering = true)
    -> std::vector<Outcome<detail::TaskResult<F, detail::ItemOf<Items>>>> {
  WorkOptions options;
  options.num_workers = num_threads;
  options.per_sync_timeout = per_sync_timeout;
  options.preserve_result_ordering = preserve_result_ordering;
  return do_threaded_work(std::forward<Items>(items), std::forward<F>(func), options);
}

/// The results of threaded_stream(): an input range of Indexed<R>, to be gone through once.
///
/// begin() starts the work, which the consumer drives: input is pulled and results are taken in only within begin() and
/// ++ on the iterator, by the thread that calls them. Move-only; iterators stay valid when it is moved. Destroying it
/// before its end requests a stop, waits for the tasks in hand, drops the rest. One thread at a time.
template <class Items, class F>
class ThreadedStream {
  using R = detail::TaskResult<std::decay_t<F>, detail::ItemOf<Items>>;
  using Run = detail::ThreadRun<Items, R>;
  using Result = Indexed<R>;

  struct State {
    State(Items&& items, std::decay_t<F>&& func, const WorkOptions& options)
        : run(std::forward<Items>(items), std::move(func), options, detail::Delivery::each) {}
    void advance() {
      if constexpr (!std::is_trivially_destructible_v<R>)
        current.outcome = {};  // a task may wait for what the last result owns
      at_end = true;           // also if the next line throws
      at_end = !run.next(current);
    }
    Run run;
    Result current;
    bool begun = false, at_end = false;
  };

 public:
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Result;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    /// The result may be moved from.
    Result& operator*() const noexcept { return state_->current; }
    Result* operator->() const noexcept { return std::addressof(state_->current); }
    /// Waits for the next result. Throws as described at threaded_stream(); the stream is at its end then.
    Iterator& operator++() {
      state_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& at, std::default_sentinel_t) noexcept { return at.state_->at_end; }

   private:
    friend class ThreadedStream;
    explicit Iterator(State* state) : state_(state) {}
    State* state_ = nullptr;
  };

  /// Use threaded_stream().
  ThreadedStream(Items&& items, F&& func, const WorkOptions& options)
      : state_(std::make_unique<State>(std::forward<Items>(items), std::decay_t<F>(std::forward<F>(func)), options)) {}

  /// The result the stream stands at; the first call starts the work and waits for it.
  Iterator begin() {
    if (!std::exchange(state_->begun, true)) state_->advance();
    return Iterator(state_.get());
  }
  std::default_sentinel_t end() const noexcept { return {}; }

  /// True: the next ++ takes a result that has come already. False: it may have to wait, so this is the moment to flush
  /// what was made of the results so far.
  bool ready() const { return state_->run.ready(); }

  /// So far; also before begin() and after the last result. In the thread that takes the results.
  WorkStatistics statistics() const { return state_->run.statistics(); }

 private:
  std::unique_ptr<State> state_;
};

/// Applies `func` to each of `items` in threads of this process; the results come out as an input range of Indexed<R>,
/// each as soon as it may be had: in the order of the items, or with `preserve_result_ordering = false` in the order
/// they end. In the place of the generators in the article on threads, queues and processes this is ported from.
///
/// Lazy both ways, so an endless range may feed it: 64 items plus four a worker are pulled ahead of the result last
/// taken; where that is less than two milliseconds of work for each thread, or one of them runs out of tasks behind a
/// result whose turn it is, so many more as are needed, up to 4096. Results of short tasks are gathered for up to a
/// millisecond. An lvalue range is used where it is and must outlive the stream, an rvalue one is moved in; `func` is
/// copied or moved in. If the range throws, every result before it is delivered, then the exception comes out of the
/// iterator. Otherwise as do_threaded_work() says, `options` and what is thrown included; the iterator throws what is
/// found out only on the way.
template <class Items, class F>
requires detail::ThreadedWork<Items, std::decay_t<F>>
auto threaded_stream(Items&& items, F&& func, const WorkOptions& options = {}) -> ThreadedStream<Items, F> {
  return ThreadedStream<Items, F>(std::forward<Items>(items), std::forward<F>(func), options);
}

}  // namespace bulkhead
