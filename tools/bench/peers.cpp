#include "peers.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tbb_peers.hpp"

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

double run_future_pool(const std::string& name) {
  constexpr std::size_t tasks = 200'000;
  std::vector<std::future<std::uint64_t>> futures;
  std::vector<std::uint64_t> results(tasks);
  futures.reserve(tasks);
  FuturePool pool(workers);
  const double ns = ns_per_task(tasks, [&] {
    for (std::size_t i = 0; i < tasks; ++i) futures.push_back(pool.submit([i] { return square(i); }));
    for (std::size_t i = 0; i < tasks; ++i) results[i] = futures[i].get();
  });
  check_squares(name, results);
  return ns;
}

}  // namespace

[[gnu::noinline]] std::uint64_t square(std::uint64_t x) noexcept { return x * x; }

void check_squares(const std::string& peer, const std::vector<std::uint64_t>& results) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i] != square(i))
      throw std::runtime_error(peer + ": the result of task " + std::to_string(i) + " is wrong");
  }
}

double ns_per_task(std::size_t tasks, const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / static_cast<double>(tasks);
}

std::vector<Peer> thread_pool_peers() {
  const std::string name = "threads: mutex, condition variable, futures";
  std::vector<Peer> peers{{name, [name] { return run_future_pool(name); }}};
#ifdef BULKHEAD_HAS_TBB
  for (Peer& peer : tbb_peers()) peers.push_back(std::move(peer));
#endif
  return peers;
}

}  // namespace bench
