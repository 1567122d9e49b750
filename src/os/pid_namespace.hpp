// A pid namespace: processes of which none outlives the first, whatever they did to hide. The kernel sees to it.
#pragma once

#include "os/fd.hpp"
#include "os/namespace_steps.hpp"

#include <system_error>

namespace bulkhead::os {

/// Says in words what was refused, and what would help.
class NamespaceRefused : public std::system_error {
 public:
  explicit NamespaceRefused(const Refusal& refusal);
  NamespaceStep step() const noexcept { return step_; }

 private:
  NamespaceStep step_;
};

/// Throws NamespaceRefused unless /proc shows the namespace that this process lives in: without that nobody here can
/// tell under which numbers the processes of another one go.
void require_own_proc();

/// In a fresh child with one thread. Returns in another process: the first of a new pid namespace, with a mount
/// namespace in which /proc shows it, and where there is no privilege to make these, with a user namespace that knows
/// this user and group alone. The process that called stays outside as a guardian and never returns: it ends when
/// `host` (a pidfd) or the first process has ended, and the kernel ends the first process when the guardian ends.
///
/// Throws NamespaceRefused, in either of the two.
void enter_pid_namespace(const Fd& host);

/// Whether this process is the first of its pid namespace: all others in it end when it does.
bool is_first_in_pid_namespace() noexcept;

/// The number that the process of a pidfd has here; 0: it has been reaped.
int pid_behind(const Fd& pidfd);

}  // namespace bulkhead::os
