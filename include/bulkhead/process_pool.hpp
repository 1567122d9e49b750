// ProcessPool: long-lived worker processes behind futures, for hosts of any kind.
#pragma once

#include <bulkhead/detail/coded_task.hpp>
#include <bulkhead/detail/pool_service.hpp>
#include <bulkhead/options.hpp>
#include <bulkhead/outcome.hpp>
#include <bulkhead/work_statistics.hpp>

#include <exception>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace bulkhead {

template <class Signature>
class ProcessPool;

/// Worker processes that run `func` on whatever is submitted, until the pool is closed or destroyed. A task that
/// crashes, hangs or exits costs itself and nothing else.
///
/// Thread-safe: everything but the destructor may be called from any thread at any time, from `on_event` too (where
/// map() and join() throw std::logic_error, since that is the pool's own thread). The host may have threads, ignore
/// SIGCHLD or wait for any child; the thread that makes the pool may end. Workers are forked, when they are needed, by
/// a small process that is forked once, when the pool is made: they see the host's memory as it was then, and cost what
/// they cost then. `func` and everything it uses must not need a lock that another thread of the host may hold at that
/// moment. Items and results are what cereal can serialize. `preserve_result_ordering` has no meaning here.
///
/// After a fork of the host's own, the copy of a pool in the child may only be destroyed, which does nothing; all else
/// throws std::logic_error there, since nobody would do what is submitted.
template <class R, class Item>
class ProcessPool<R(Item)> {
  using Value = std::remove_cvref_t<Item>;
  static_assert(detail::Encodable<Value>, "the items must be something that cereal can serialize");

 public:
  /// Throws std::invalid_argument for options that cannot be meant, std::system_error where set-up fails. `func` may
  /// take a std::stop_token second, or a StopRequest: then it is told before it is killed.
  template <class F>
  explicit ProcessPool(F&& func, const WorkOptions& options = {}) {
    using Body = detail::CodedTask<Value, R, std::decay_t<F>>;
    pool_ = std::make_unique<Pool>(std::make_unique<Body>(std::forward<F>(func), options), options);
  }
  /// Cancels what is queued, ends the workers (those with a task in hand with `kill_grace`) and waits for them. Every
  /// future is ready afterwards.
  ~ProcessPool() {
    if (!pool_->in_this_process()) static_cast<void>(pool_.release());
  }
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;

  /// The future always becomes ready, with an outcome; it never holds an exception. After close() it is ready at once:
  /// `cancelled`.
  std::future<Outcome<R>> submit(Item item) {
    pool_->refuse_copy("submit");
    std::promise<Outcome<R>> promise;
    std::future<Outcome<R>> future = promise.get_future();
    pool_->intake().put({std::forward<Item>(item), detail::Addressee<R>(std::move(promise))});
    return future;
  }

  /// Submits every item and waits for all outcomes: result i belongs to item i. Items are taken as the range gives them
  /// and not held back; what the range throws comes out after the outcomes of the items before.
  template <class Items>
  std::vector<Outcome<R>> map(Items&& items) {
    pool_->refuse_copy("map");
    pool_->refuse_own_thread("map");
    typename detail::Addressee<R>::Mapped map;
    std::exception_ptr error;
    try {
      for (auto&& item : items) {
        const std::size_t place = map.add_place();
        pool_->intake().put({static_cast<Value>(std::forward<decltype(item)>(item)), detail::Addressee<R>(map, place)});
      }
    } catch (...) {
      error = std::current_exception();
    }
    map.wait();
    if (error) std::rethrow_exception(error);
    return std::move(map.outcomes);
  }

  /// Where the time went so far: what was counted when the pool last dealt tasks, or took in results, whose futures
  /// become ready only then. After join() the numbers are final; before, the workers that live are not in
  /// `workers_cpu_time`.
  WorkStatistics statistics() const {
    pool_->refuse_copy("statistics");
    return pool_->statistics();
  }

  /// Takes nothing more; what was submitted is done. Returns at once.
  void close() {
    pool_->refuse_copy("close");
    pool_->close();
  }
  /// Closes, and waits until everything is done and the workers have left.
  void join() {
    pool_->refuse_copy("join");
    pool_->refuse_own_thread("join");
    pool_->close();
    pool_->join();
  }

 private:
  using Pool = detail::PoolService<R, Value>;
  std::unique_ptr<Pool> pool_;
};

}  // namespace bulkhead
