// A thread of ours in somebody else's program: it takes no signals, and other threads can make it look up.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace bulkhead::detail {

/// Runs `work` until it returns. The destructor waits for that; in a forked child, which has no such thread, it does
/// nothing.
class ServiceThread {
 public:
  explicit ServiceThread(std::function<void()> work);
  ~ServiceThread();
  ServiceThread(const ServiceThread&) = delete;
  ServiceThread& operator=(const ServiceThread&) = delete;

  /// Waits until the work has returned. From any number of threads, but not from the work itself.
  void join();
  bool is_this_thread() const noexcept;
  /// Processor time that the work has used. From any thread, but not once the work may have returned.
  std::chrono::nanoseconds cpu_time() const noexcept;
  /// Whether the calling process is the one that started the thread.
  bool in_this_process() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Makes a descriptor readable from another thread.
class Doorbell {
 public:
  Doorbell();
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  int descriptor() const noexcept;
  void ring() noexcept;
  void quiet() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bulkhead::detail
