// The floor of one task at a time: every wake-up on the way that a pool behind futures has to pay, and nothing else.
#pragma once

#include "child.hpp"

#include <poll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace bench {

/// Caller -> eventfd -> a thread that polls -> futex in shared memory -> worker process -> pipe -> the thread that
/// polls -> future. One task at a time.
class BareChain {
 public:
  BareChain();
  ~BareChain();
  BareChain(const BareChain&) = delete;
  BareChain& operator=(const BareChain&) = delete;

  std::uint64_t ask(std::uint64_t item);

 private:
  struct Shared {  // the worker waits on the bell
    std::atomic<std::uint32_t> bell{0};
    std::uint64_t item = 0;
  };
  using Request = std::pair<std::uint64_t, std::promise<std::uint64_t>>;

  void serve();
  void hand_over();
  void work();

  Shared* shared_ = nullptr;
  int asked_ = -1;
  std::array<int, 2> answers_{-1, -1};
  Children worker_;
  std::mutex mutex_;
  std::optional<Request> request_;
  std::optional<std::promise<std::uint64_t>> in_hand_;
  std::atomic<bool> closed_{false};
  std::thread loop_;
};

}  // namespace bench
