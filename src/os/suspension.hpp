// The terminal's Ctrl-Z. A program that is stopped stops its tasks first, and the time it then stands still is taken
// out of its clocks: its own and, by a word in shared memory that only it can write, those of its workers.
//
// All is done in the signal's handler, whatever the program is waiting for at that moment: a reader that was stopped
// along with it may never come back before it.
#pragma once

#include "os/fd.hpp"

#include <chrono>
#include <cstddef>
#include <span>

namespace bulkhead::os {

/// The signals by which a terminal stops a program are acted on from here on. Idempotent. Throws std::system_error.
void prepare_for_suspension();
/// The handler of such a signal: tells every listener, stops this process by the signal's default action, which does
/// nothing where nobody could ever continue it, and tells them again. Async-signal-safe.
void suspend_by(int signal) noexcept;

/// In a forked child, before anything of the user's runs and before private descriptors are closed: goes on reading the
/// parent's clock, and can write it no more. Throws std::system_error.
void follow_suspensions_of_parent();

/// How long this program, or the one that this worker belongs to, has been suspended so far.
std::chrono::nanoseconds time_suspended() noexcept;

/// While one lives, its listener is told before this process is suspended and afterwards. At most 64 at a time; more
/// are not told.
class SuspensionListener {
 public:
  /// Sends the socket whole messages, which must live for ever.
  SuspensionListener(int socket, std::span<const std::byte> pause, std::span<const std::byte> proceed) noexcept;
  /// Sends the process SIGTSTP and SIGCONT: see suspension_watch.hpp.
  explicit SuspensionListener(const Fd& pidfd) noexcept;
  ~SuspensionListener();
  SuspensionListener(const SuspensionListener&) = delete;
  SuspensionListener& operator=(const SuspensionListener&) = delete;

 private:
  std::size_t place_;
};

}  // namespace bulkhead::os
