// A request to stop: a std::stop_token, or a descriptor that becomes readable.
#pragma once

#include <stop_token>
#include <utility>

namespace bulkhead {

/// What run_command(), Coprocess::ask() and a work function can be told to stop by.
///
/// A work function may take one in the place of a std::stop_token: `func(item, const StopRequest&)`. Take a StopRequest
/// to ask requested() now and then, or to hand it to run_command() or Coprocess::ask(); a std::stop_token for
/// std::stop_callback and std::condition_variable_any. In a worker process the first is a descriptor, SIGTERM's; the
/// second costs each worker a thread that hears SIGTERM. Where the work is done in threads, and where `func` is generic
/// or overloaded, a StopRequest holds a token and has no descriptor.
///
/// Safe to copy, and to use in several threads. In a process that a worker forks a copy tells of SIGTERM to that
/// process, for as long as it keeps the signal blocked. A task must not unblock SIGTERM, accept it (sigwait) or close
/// the descriptor: it would not be told, or be told of something else.
class StopRequest {
 public:
  /// Never comes.
  StopRequest() noexcept = default;
  StopRequest(std::stop_token token) noexcept : token_(std::move(token)) {}  // implicit: it is one
  /// Comes when `descriptor`, which stays the caller's and is not read from, becomes readable or loses its other end;
  /// -1: never.
  explicit StopRequest(int descriptor) noexcept : descriptor_(descriptor) {}

  /// Whether it has come. Of a descriptor it takes a system call to say.
  bool requested() const noexcept;

  /// For poll(2), not for epoll_ctl(2) before a fork: readable once it has come; a worker's for good. -1: there is
  /// none, ask token().
  int descriptor() const noexcept { return descriptor_; }
  /// Its stop_possible() is false where there is none: ask descriptor().
  const std::stop_token& token() const noexcept { return token_; }

 private:
  std::stop_token token_{};
  int descriptor_ = -1;
};

}  // namespace bulkhead
