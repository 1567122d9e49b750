#include "tiny_peers.hpp"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace bench {
namespace {

// The pool that is written when none is at hand: one queue, one lock, one future a task.
class FuturePool {
 public:
  explicit FuturePool(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
  }
  ~FuturePool() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  FuturePool(const FuturePool&) = delete;
  FuturePool& operator=(const FuturePool&) = delete;

  template <class F>
  std::future<std::uint64_t> submit(F func) {
    std::packaged_task<std::uint64_t()> task(std::move(func));
    std::future<std::uint64_t> result = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    ready_.notify_one();
    return result;
  }

 private:
  void serve() {
    for (;;) {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      std::packaged_task<std::uint64_t()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::packaged_task<std::uint64_t()>> tasks_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

double run(std::vector<std::uint64_t>& results) {
  std::vector<std::future<std::uint64_t>> futures;
  futures.reserve(results.size());
  FuturePool pool(workers);
  return ns_per_task(results.size(), [&] {
    for (std::size_t i = 0; i < results.size(); ++i) futures.push_back(pool.submit([i] { return square(i); }));
    for (std::size_t i = 0; i < results.size(); ++i) results[i] = futures[i].get();
  });
}

}  // namespace

Peer future_pool(const Setting& setting) {
  return squares_peer("threads: mutex, condition variable, futures kept", setting.count(200'000), run);
}

}  // namespace bench
