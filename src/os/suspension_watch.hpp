// A worker that no fork server stops when the program is suspended: it sees to what it has started by itself.
#pragma once

#include "os/fd.hpp"

#include <signal.h>

#include <cstdint>

namespace bulkhead::os {

/// In a fresh worker, and for that process alone: SIGTSTP and SIGCONT are what a SuspensionWatch hears of. While there
/// is none, the first stops this process by its usual action.
void be_suspended_by_signals() noexcept;

/// While one lives in such a worker, both signals are blocked in this thread, and stop or continue what lives below
/// this process. The process itself goes on: it must see the end of its coordinator.
class SuspensionWatch {
 public:
  /// Throws std::system_error where we are out of descriptors.
  SuspensionWatch();
  ~SuspensionWatch();
  SuspensionWatch(const SuspensionWatch&) = delete;
  SuspensionWatch& operator=(const SuspensionWatch&) = delete;

  /// Readable when one of them has come. -1: never will be, this is no such worker.
  int descriptor() const noexcept { return signals_.get(); }
  /// Then to be called. If the program is being suspended, all below is stopped, and this returns when it goes on, or
  /// when `parent` has become readable: then nothing is let go on.
  void follow(int parent) noexcept;

 private:
  enum class Heard : std::uint8_t { nothing, pause, proceed };
  Heard hear() noexcept;

  Fd signals_;
  sigset_t before_{};
};

}  // namespace bulkhead::os
