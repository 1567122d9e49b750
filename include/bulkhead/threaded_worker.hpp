// WorkQueue and ThreadedWorker: threads that pull items from one queue and put their outcomes into another.
//
//     producer --put--> WorkQueue<Item> --get--> ThreadedWorker: func(item) --put--> WorkQueue<Outcome<R>> --get--> you
//                              ^------------------- task_done -----'
//
// Most programs want do_threaded_work() from <bulkhead/work.hpp>, which owns both ends.
#pragma once

#include <bulkhead/detail/deadline.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/task_function.hpp>
#include <bulkhead/detail/thread_warnings.hpp>
#include <bulkhead/outcome.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>

namespace bulkhead {

template <class Item, class R>
class ThreadedWorker;

/// A queue between threads that counts what is still being worked on: `Queue` in the article on threads, queues and
/// processes this is ported from. First in, first out.
///
/// Every member may be called from any thread at any time, construction and destruction aside. Not for use across
/// fork. `T` needs to be movable only.
template <class T>
class WorkQueue {
 public:
  /// `capacity`: the most items it holds, 0 (default) for any number.
  explicit WorkQueue(std::size_t capacity = 0) : capacity_(capacity) {}
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// Appends `value`, waiting as long as it takes for room.
  void put(T value) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return has_room(); });
    append(std::move(value));
  }

  /// Appends `value` if there is room within `timeout` (negative counts as 0: only if there is room now). False: there
  /// was none, and `value` has not been moved from.
  bool put(T&& value, std::chrono::milliseconds timeout) {
    return put_unless(std::move(value), timeout, [] { return false; });
  }
  bool put(const T& value, std::chrono::milliseconds timeout) requires std::is_copy_constructible_v<T> {
    return put(T(value), timeout);
  }

  /// Takes the oldest item, or nullopt if there is none within `timeout` (negative counts as 0). Each item taken is
  /// owed one task_done().
  std::optional<T> get(std::chrono::milliseconds timeout) {
    return get_unless(timeout, [] { return false; });
  }

  /// Says that an item taken before has been worked on. Throws std::logic_error if called more often than put().
  void task_done() {
    const std::scoped_lock lock(mutex_);
    if (unfinished_ == 0) throw std::logic_error("bulkhead::WorkQueue::task_done(): called more often than put()");
    if (--unfinished_ == 0) all_done_.notify_all();
  }

  /// Waits until task_done() has been called for every item ever put.
  void join() {
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [this] { return unfinished_ == 0; });
  }

  /// Whether nothing waits to be taken; may be out of date when it returns, if other threads use the queue.
  bool empty() const {
    const std::scoped_lock lock(mutex_);
    return items_.empty();
  }

 private:
  template <class, class>
  friend class ThreadedWorker;

  bool has_room() const { return capacity_ == 0 || items_.size() < capacity_; }

  void append(T&& value) {
    items_.push_back(std::move(value));
    ++unfinished_;
    item_.notify_one();
  }

  // `give_up` ends the wait early once the thread that changed its answer has called nudge().
  template <class GiveUp>
  bool put_unless(T&& value, std::chrono::milliseconds timeout, GiveUp give_up) {
    std::unique_lock lock(mutex_);
    room_.wait_until(lock, detail::deadline_after(timeout), [&] { return has_room() || give_up(); });
    if (!has_room()) return false;
    append(std::move(value));
    return true;
  }

  template <class GiveUp>
  std::optional<T> get_unless(std::chrono::milliseconds timeout, GiveUp give_up) {
    std::unique_lock lock(mutex_);
    item_.wait_until(lock, detail::deadline_after(timeout), [&] { return !items_.empty() || give_up(); });
    if (items_.empty() || give_up()) {
      if (!items_.empty()) item_.notify_one();  // this thread may have been woken in another's place
      return std::nullopt;
    }
    std::optional<T> taken(std::move(items_.front()));
    items_.pop_front();
    room_.notify_one();
    return taken;
  }

  // A worker that must end has a result in hand that nobody makes room for: above the capacity rather than lost.
  void put_above_capacity(T&& value) {
    const std::scoped_lock lock(mutex_);
    append(std::move(value));
  }

  void nudge() {
    const std::scoped_lock lock(mutex_);
    item_.notify_all();
    room_.notify_all();
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable item_, room_, all_done_;
  std::deque<T> items_;
  std::size_t unfinished_ = 0;
};

/// A thread that pulls items from a work queue and puts their outcomes into a result queue: `ThreadedWorker` in the
/// article on threads, queues and processes this is ported from. Several may share the same two queues.
///
/// Where the article's class loses something this one does not. A wait that times out is logged as a warning and begun
/// again; only an item that was really taken is reported task_done(), after its outcome is in the result queue. A
/// result counts whatever its value. What `func` throws becomes that item's outcome (Ending::exception).
///
/// `func(item)`, or `func(item, std::stop_token)` or `func(item, StopRequest)` to be told of stop(), must return what
/// converts to R; it is called by the worker's thread only. Both queues must outlive the worker. Not for use across
/// fork.
template <class Item, class R>
class ThreadedWorker {
 public:
  /// Makes a worker that runs nothing until start().
  ///
  /// `stop_when_work_queue_empty` (default true): it ends when it finds the queue empty, also when that is so from the
  /// beginning, so fill the queue first; false: it ends by stop(). `queue_timeout` (default one second): the longest
  /// one wait on a queue; throws std::invalid_argument unless it is above 0.
  template <class F>
  requires detail::TaskFunction<std::decay_t<F>, Item> ThreadedWorker(
      WorkQueue<Item>& work_queue, WorkQueue<Outcome<R>>& result_queue, F&& func,
      bool stop_when_work_queue_empty = true, std::chrono::milliseconds queue_timeout = std::chrono::seconds(1))
      : work_queue_(work_queue),
        result_queue_(result_queue),
        stop_when_work_queue_empty_(stop_when_work_queue_empty),
        queue_timeout_(queue_timeout) {
    if (queue_timeout.count() <= 0)
      throw std::invalid_argument("bulkhead::ThreadedWorker: queue_timeout: a wait must last longer than 0");
    // Shared, for std::function wants to copy what it holds and `func` may be move-only.
    auto held = std::make_shared<std::decay_t<F>>(std::forward<F>(func));
    work_func_ = [held](Item&& item, const std::stop_token& stop) -> R {
      if constexpr (std::is_void_v<R>) {
        static_cast<void>(detail::invoke_task(*held, std::move(item), stop));
      } else {
        return detail::invoke_task(*held, std::move(item), stop);
      }
    };
  }
  ThreadedWorker(const ThreadedWorker&) = delete;
  ThreadedWorker& operator=(const ThreadedWorker&) = delete;

  /// stop(), then waits for the item in hand.
  ~ThreadedWorker() {
    stop();
    if (thread_.joinable()) thread_.join();
  }

  /// Starts the thread. Throws std::logic_error if it was started before, std::system_error if there is no thread to
  /// be had.
  void start() {
    if (started_) throw std::logic_error("bulkhead::ThreadedWorker::start(): already started; make another worker");
    thread_ = std::thread([this] { run(); });
    started_ = true;
  }

  /// Waits until the thread has ended. Throws std::logic_error if it was never started.
  void join() {
    if (!started_) throw std::logic_error("bulkhead::ThreadedWorker::join(): not started; call start() first");
    if (thread_.joinable()) thread_.join();
  }

  /// Whether the thread would take another item now. Any thread may ask.
  bool should_continue_running() const {
    if (stop_.stop_requested()) return false;
    return stop_when_work_queue_empty_ ? !work_queue_.empty() : true;
  }

  /// Asks the worker to end after the item in hand, whose `func` is told through its std::stop_token or StopRequest.
  /// Returns at once; any thread may call it, also before start(). If the result queue stays full, the last outcome is
  /// put above its capacity.
  void stop() {
    stop_.request_stop();
    work_queue_.nudge();
    result_queue_.nudge();
  }

 private:
  void run() {
    const auto told_to_stop = [this] { return stop_.stop_requested(); };
    while (should_continue_running()) {
      std::optional<Item> item = work_queue_.get_unless(queue_timeout_, told_to_stop);
      if (!item) {
        if (!told_to_stop()) detail::log_queue_timeout("ThreadedWorker: the work queue stayed empty; waiting again");
        continue;
      }
      Outcome<R> outcome = work_on(std::move(*item));
      item.reset();  // what the item owns ends before anybody can see its outcome
      while (!result_queue_.put_unless(std::move(outcome), queue_timeout_, told_to_stop)) {
        if (told_to_stop()) {
          result_queue_.put_above_capacity(std::move(outcome));
          break;
        }
        detail::log_queue_timeout("ThreadedWorker: the result queue stayed full; waiting again");
      }
      work_queue_.task_done();
    }
  }

  Outcome<R> work_on(Item&& item) {
    TaskStats stats{.attempts = 1};
    const auto start = std::chrono::steady_clock::now();
    const auto ran = [&] { return std::chrono::steady_clock::now() - start; };
    try {
      if constexpr (std::is_void_v<R>) {
        work_func_(std::move(item), stop_.get_token());
        stats.ran = ran();
        return Outcome<R>(stats);
      } else {
        R value = work_func_(std::move(item), stop_.get_token());
        stats.ran = ran();
        return Outcome<R>(std::move(value), stats);
      }
    } catch (...) {
      stats.ran = ran();
      return Outcome<R>(detail::failure_from_current_exception(), stats);
    }
  }

  WorkQueue<Item>& work_queue_;
  WorkQueue<Outcome<R>>& result_queue_;
  std::function<R(Item&&, const std::stop_token&)> work_func_;
  const bool stop_when_work_queue_empty_;
  const std::chrono::milliseconds queue_timeout_;
  std::stop_source stop_;
  bool started_ = false;
  std::thread thread_;
};

}  // namespace bulkhead
