// The child that becomes a program. It borrows the memory of the process that starts it until it has become the
// program, or has failed to: everything is prepared beforehand, and nothing in here allocates or locks.
#pragma once

#include "os/fd.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bulkhead::os {

struct ProgramImage;
class ProgramSandbox;

class ProgramStart {
 public:
  /// `sandbox` may be none. Both must stay until start() was called.
  ProgramStart(const ProgramImage& image, const ProgramSandbox* sandbox);

  static constexpr std::size_t stack_size = 64 << 10;
  struct Started {
    pid_t pid = -1;        ///< -1: there is no child, see `error`
    int pidfd = -1;        ///< the caller's to close
    int error = 0;         ///< why it did not become the program; the child is a zombie then
    bool sandbox = false;  ///< it was the sandbox that was refused
  };
  /// SIGCHLD had no handler when this process started its first program: it can run nothing in the child.
  bool lets_child_signal_pass() const noexcept;
  /// Every signal must be blocked, or may pass. `stack_top` is the end of stack_size bytes that nobody uses
  /// meanwhile.
  Started start(char* stack_top) noexcept;

 private:
  static int become_program(void* plan);
  void prepare_child() noexcept;
  void take_streams() const noexcept;
  [[noreturn]] void give_up() noexcept;

  const ProgramImage& image_;
  const ProgramSandbox* sandbox_;
  std::vector<char*> arguments_;  // one spare place before them, for /bin/sh
  const std::uint64_t reset_;     // signals
  pid_t parent_ = 0;
  volatile int error_ = 0;  // the child's only way to say why: it writes into our memory
  volatile bool in_sandbox_ = false;
};

/// What execve() takes, the null at the end included; `spare` places are left before it.
std::vector<char*> pointers(const std::vector<std::string>& strings, std::size_t spare);

/// Remembers which signals this process was started with as ignored. The first call counts; before anything changes
/// them.
void remember_ignored_signals() noexcept;

}  // namespace bulkhead::os
