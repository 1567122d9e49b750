// A worker's tie to its coordinator, held by the kernel: whatever ends the coordinator ends the worker.
#pragma once

#include "os/fd.hpp"

namespace bulkhead::os {

/// The coordinator keeps the write end and never writes to it: when it has gone, however it went, the kernel sends
/// SIGKILL to every process that tied itself to the read end. Unlike a parent-death signal it does not care which
/// thread forked, nor who forked.
Pipe make_lifeline();

/// In a worker: ties this process. Where the kernel or /proc refuse, false: the fork server still takes it along.
bool tie_to(const Fd& read_end) noexcept;

/// What ties this process; -1: nothing.
int tied_descriptor() noexcept;

/// While one lives, the end of the coordinator is told by a descriptor that becomes readable, instead of by an instant
/// SIGKILL: whoever waits can then take its descendants along.
class LifelineWatch {
 public:
  LifelineWatch() noexcept;
  ~LifelineWatch();
  LifelineWatch(const LifelineWatch&) = delete;
  LifelineWatch& operator=(const LifelineWatch&) = delete;
  int descriptor() const noexcept;  ///< -1: this process is not tied
};

}  // namespace bulkhead::os
