// SIGTERM as a request to stop, instead of this process' end.
#pragma once

#include <bulkhead/stop_request.hpp>

#include "os/fd.hpp"

#include <optional>
#include <stop_token>

namespace bulkhead::os {

/// From here on SIGTERM is blocked in this thread and in those it starts, and terminate_request() tells of it. For a
/// process that never undoes it. Throws std::system_error.
void hold_terminate();
/// The same, and it is heard by a thread of its own where, unlike in a signal handler, a stop may be requested: of
/// terminate_token().
void stop_on_terminate();

/// Only in a process that holds SIGTERM. Not checked: every task asks.
StopRequest terminate_request() noexcept;
std::stop_token terminate_token() noexcept;

/// Becomes readable with a request, and stays so. For terminate_token() nothing is made: there is one already.
class StopDescriptor {
 public:
  /// Throws std::system_error where we are out of descriptors.
  explicit StopDescriptor(const StopRequest& stop);
  /// -1: it never will be.
  int number() const noexcept { return number_; }

 private:
  struct Notify {
    const WakeUp& wake_up;
    void operator()() const noexcept { wake_up.notify(); }
  };
  int number_;
  std::optional<WakeUp> own_;
  std::optional<std::stop_callback<Notify>> on_stop_;
};

}  // namespace bulkhead::os
