// The first worker, where the coordinator's own process forks it: a fork server is made only if there is to be another.
//
// It is meant for tasks that are programs. Who waits for a program sees by itself to what that has started, when the
// coordinator ends and when all is suspended.
#pragma once

#include "os/child.hpp"
#include "os/suspension.hpp"
#include "process/birth.hpp"

#include <cstdint>
#include <functional>
#include <optional>

namespace bulkhead::process {

class DirectWorker {
 public:
  /// Not forked yet. `number`: the coordinator's, of the worker that it will be.
  DirectWorker(Life life, std::uint64_t number, Cradle cradle)
      : life_(life), number_(number), cradle_(std::move(cradle)) {}

  std::uint64_t number() const noexcept { return number_; }
  bool forked() const noexcept { return !cradle_; }
  /// From then on it is suspended with us; this process has the statuses of its children, whatever the host does with
  /// SIGCHLD; and it adopts what that worker leaves, for good. Throws std::system_error: then nothing was forked.
  /// `admit` is called, and must not throw, as soon as nothing can fail any more: that worker goes first then, and does
  /// not wait for what else is to be done here.
  os::ProcessHandle fork(bool crash_notes, const std::function<void()>& admit);
  /// It has ended, and `process` is about to be reaped.
  void leave(const os::ProcessHandle& process) noexcept;
  /// It was reaped, and so was what it left.
  void let_statuses_go() noexcept { statuses_.reset(); }

 private:
  os::Child fork_with_rank(bool crash_notes);
  [[noreturn]] void live(bool crash_notes) noexcept;

  Life life_;
  std::uint64_t number_;
  std::optional<Cradle> cradle_;
  std::optional<os::KeepChildStatuses> statuses_;
  std::optional<os::SuspensionListener> paused_with_us_;
};

}  // namespace bulkhead::process
