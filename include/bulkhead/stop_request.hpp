// A request to stop, as it reaches what waits in poll(2).
#pragma once

#include <stop_token>
#include <utility>

namespace bulkhead {

/// What run_command(), Coprocess::ask() and a work function can be told to stop by: a std::stop_token, or a descriptor.
///
/// A work function may take one in the place of a std::stop_token: `func(item, StopRequest)`. In a worker process it is
/// a descriptor then, SIGTERM's, and no thread is made. A std::stop_token has to be told by a thread that hears
/// SIGTERM; whoever only hands the request on, or polls, does without. That goes for functions with one signature: a
/// generic or overloaded one gets a token in it, with its thread. In threads it is the run's token.
///
/// Safe to copy and to use in several threads. A child of a worker, forked by hand or as a worker of a pool in it, is
/// told of its own SIGTERM by a copy that it inherits, where it has that signal blocked. A task that takes SIGTERM from
/// the kernel itself (sigwait) takes the request away.
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

  /// For poll(2): readable once it has come, and for good; not to be read from. -1: there is none, look at token().
  int descriptor() const noexcept { return descriptor_; }
  /// Without a state: there is none, look at descriptor().
  const std::stop_token& token() const noexcept { return token_; }

 private:
  std::stop_token token_{};
  int descriptor_ = -1;
};

}  // namespace bulkhead
