// The pool's one thread: it drives an engine with what callers submit, and hands each its outcome.
#pragma once

#include <bulkhead/detail/coded_task.hpp>
#include <bulkhead/detail/cpu_clock.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/pool_intake.hpp>
#include <bulkhead/detail/process_engine.hpp>
#include <bulkhead/detail/process_feed.hpp>
#include <bulkhead/detail/service_thread.hpp>
#include <bulkhead/options.hpp>
#include <bulkhead/outcome.hpp>
#include <bulkhead/work_statistics.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>

namespace bulkhead::detail {

template <class R, class Item>
class PoolService {
 public:
  using Intake = PoolIntake<R, Item>;

  /// Comes back when the fork server stands. Throws what its set-up throws.
  PoolService(std::unique_ptr<TaskBody> body, const WorkOptions& options)
      : body_(std::move(body)), options_(options), on_stop_(options.stop, [this] { cancel_.request_stop(); }) {
    options_.stop = cancel_.get_token();
    options_.first_worker_directly = false;  // it works beside its host, which may have children
    std::future<void> started = started_.get_future();
    thread_.emplace([this] { serve(); });
    started.get();
  }
  ~PoolService() {
    cancel_.request_stop();
    close();
  }
  PoolService(const PoolService&) = delete;
  PoolService& operator=(const PoolService&) = delete;

  Intake& intake() noexcept { return intake_; }
  void close() {
    intake_.close(
        Failure{.ending = Ending::cancelled, .type = {}, .what = "the pool had been closed", .backtrace = {}});
  }
  void join() { thread_->join(); }
  WorkStatistics statistics() const {
    const std::lock_guard lock(counting_);
    WorkStatistics all = statistics_;
    if (counted_to_end_) return all;
    all.wall_time = std::chrono::steady_clock::now() - began_;
    all.coordinator_cpu_time = thread_->cpu_time();  // it cannot have ended: it wants the lock first
    return all;
  }
  bool in_this_process() const noexcept { return thread_->in_this_process(); }
  void refuse_copy(const char* call) const {
    if (!in_this_process())
      throw std::logic_error(std::string("bulkhead::ProcessPool::") + call +
                             "() of a copy that came by fork, and has neither thread nor workers; make a pool in this "
                             "process, or use this one where it was made");
  }
  void refuse_own_thread(const char* call) const {
    if (thread_->is_this_thread())
      throw std::logic_error(std::string("bulkhead::ProcessPool::") + call +
                             "() would wait for the thread that calls it; call it outside of on_event");
  }

 private:
  void serve() {
    bool stands = false;
    Failure last{.ending = Ending::cancelled, .type = {}, .what = "the pool was destroyed", .backtrace = {}};
    try {
      ProcessFeed<Intake&> feed(intake_, options_);
      ProcessEngine engine(std::move(body_), options_);
      engine.start();
      stands = true;
      started_.set_value();
      drive(feed, engine);
      if (feed.error()) std::rethrow_exception(feed.error());
      if (const Failure* why = engine.why_closed()) last = *why;
    } catch (...) {
      if (!stands) return started_.set_exception(std::current_exception());
      last = failure_from_current_exception(Ending::abandoned);  // of a listener, or of the system
    }
    count_to_end();
    intake_.close(last);
    intake_.end_all(last);
  }

  void drive(ProcessFeed<Intake&>& feed, ProcessEngine& engine) {
    for (;;) {
      const int input = feed.feed(engine, [](std::uint64_t) { return true; });
      count(engine);
      const Wake wake = engine.wait(input);
      count(engine);  // before anyone can see a result
      if (wake == Wake::idle && (feed.ended() || engine.closed())) break;
      if (wake != Wake::completions) continue;
      for (Completion& done : engine.completions())
        for (std::size_t i = 0; i < done.count; ++i)
          intake_.take_addressee(done.task + i).deliver(outcome_of<R>(done, i));
    }
    engine.finish();
    count(engine);
  }

  // Once a turn: the price of an uncontended lock, beside the system call that it waits with.
  void count(const ProcessEngine& engine) {
    const std::lock_guard lock(counting_);
    statistics_ = engine.counts();
  }
  void count_to_end() {
    const std::lock_guard lock(counting_);
    statistics_.wall_time = std::chrono::steady_clock::now() - began_;
    statistics_.coordinator_cpu_time = thread_cpu_time();
    counted_to_end_ = true;
  }

  Intake intake_;
  std::unique_ptr<TaskBody> body_;
  WorkOptions options_;
  std::stop_source cancel_;
  std::stop_callback<std::function<void()>> on_stop_;
  std::promise<void> started_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  mutable std::mutex counting_;
  WorkStatistics statistics_;
  bool counted_to_end_ = false;
  std::optional<ServiceThread> thread_;  // last: it uses all the others, and is waited for first
};

}  // namespace bulkhead::detail
