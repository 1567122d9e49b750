// Waiting for many descriptors at once. Costs by what is ready, not by how many are watched.
#pragma once

#include "os/fd.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead::os {

class Poller {
 public:
  Poller();
  /// Watches for readability; `key` comes back from wait(). False: this kind of file is always ready (a regular file).
  bool watch(int fd, std::uint64_t key);
  void forget(int fd) noexcept;
  /// The keys of what is readable, at most `max_ready` at a time. Empty: the time ran out or a signal came.
  std::span<const std::uint64_t> wait(std::chrono::nanoseconds timeout);

  const Fd& fd() const noexcept { return fd_; }

 private:
  static constexpr std::size_t max_ready = 64;
  Fd fd_;
  std::array<std::uint64_t, max_ready> keys_{};
};

}  // namespace bulkhead::os
