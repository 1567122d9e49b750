// Whether a program that was started here waits for its standard input, as the kernel tells it.
#pragma once

#include "os/fd.hpp"

namespace bulkhead::os {

/// Looks at the program's first thread. Where the kernel does not tell (no /proc, tracing forbidden), it is never seen
/// to wait.
class ReadingWatch {
 public:
  ReadingWatch() = default;
  explicit ReadingWatch(int pid);

  /// True: it sits in a read() of its standard input now. One system call, or a few where it is still on its way there.
  bool is_reading() const noexcept;

 private:
  Fd state_;  // the system call that it is in
};

}  // namespace bulkhead::os
