// Which signals a thread takes.
#pragma once

#include <csignal>

namespace bulkhead::os {

/// While one lives, this thread takes no signal, and neither do the threads that it starts meanwhile, ever.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() noexcept;
  ~AllSignalsBlocked();
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace bulkhead::os
