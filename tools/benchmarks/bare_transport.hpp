// The floor of large items and results: the same ways and copies, without a product around them.
#pragma once

#include "child.hpp"
#include "peer.hpp"

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// Worker processes that echo. An item is copied into shared memory and copied out of it by its worker; a result comes
/// through a pipe of 1 MiB into one string, used again for the next. Small ones go in batches, both ways.
class BareTransport {
 public:
  /// In a worker: puts what comes back for an item behind a batch.
  using Answer = void (*)(const char* item, std::size_t bytes, std::string& batch);

  /// Makes the processes and touches the shared memory; all items have this size. With an answer of their own results
  /// have the size `result_bytes`, which is below 32 KiB.
  explicit BareTransport(std::size_t item_bytes);
  BareTransport(std::size_t item_bytes, std::size_t result_bytes, Answer answer);
  ~BareTransport();
  BareTransport(const BareTransport&) = delete;
  BareTransport& operator=(const BareTransport&) = delete;

  /// How many items a worker may have at a time.
  std::size_t window() const noexcept { return window_; }
  /// Sends `count` items and hands over each result with its item's number.
  void run(std::size_t count, const std::function<const std::string&(std::size_t)>& item,
           const std::function<void(std::size_t, const std::string&)>& take);

 private:
  struct Head {
    alignas(64) std::atomic<std::uint32_t> sent{0};  // the worker waits on it
    alignas(64) std::atomic<std::uint32_t> asleep{0};
  };
  struct Lane {
    Head* head = nullptr;
    char* slots = nullptr;
    std::uint32_t sent = 0, received = 0;
    std::vector<std::size_t> numbers;  // by slot
    std::string partial;               // of the result that is coming in
    std::size_t filled = 0;
  };

  void work(const Lane& lane, int pipe) const;
  bool fill(Lane& lane, std::size_t& next, std::size_t count,
            const std::function<const std::string&(std::size_t)>& item);
  std::size_t receive(Lane& lane, int pipe, const std::function<void(std::size_t, const std::string&)>& take);
  std::size_t take_small(Lane& lane, std::string_view bytes,
                         const std::function<void(std::size_t, const std::string&)>& take);

  std::size_t bytes_, result_bytes_, window_;
  Answer answer_;
  std::array<Lane, workers> lanes_{};
  std::array<int, workers> pipes_{};
  Children children_;
};

}  // namespace bench
