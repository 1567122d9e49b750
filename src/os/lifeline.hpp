// A worker's tie to its coordinator, held by the kernel: whatever ends the coordinator ends the worker.
#pragma once

#include "os/fd.hpp"

namespace bulkhead::os {

/// Two ends for one worker. The coordinator holds one and never uses it; when that has gone, however it went, the
/// kernel sends SIGKILL to the process that tied itself to the other. Unlike a parent-death signal it does not care
/// which thread forked, nor who forked; and a worker can do nothing with its end that anybody would notice.
struct Lifeline {
  Fd held, tied;
};
Lifeline make_lifeline();

/// In a worker: ties this process, for as long as it keeps the descriptor open. Throws std::system_error.
void tie_to(Fd end);

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
