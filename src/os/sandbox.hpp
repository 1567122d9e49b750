// The kernel sandbox of a worker that may turn against the others: what it could do to them is cut off from inside,
// before any code of the user's runs, and for ever.
//
// Three mechanisms of the kernel, none of which needs a privilege: no_new_privs (no program it starts gains any), a
// seccomp filter (system calls that reach other processes fail with EPERM, and so does making new ones), and Landlock
// (it changes no files but where it may, and has no way to another process' memory). The first two are indispensable;
// without the third, or with an early version of it, less is guarded, and the words say what.
#pragma once

#include <string>
#include <vector>

namespace bulkhead::os {

struct SandboxSupport {
  bool no_new_privs = false;
  bool syscall_filter = false;
  int landlock_abi = 0;                ///< 0: none
  std::vector<std::string> lacking{};  ///< one sentence for each part this kernel lacks: which, why, what follows

  /// Without these two nothing would be kept from anybody, and enter_sandbox() throws.
  bool sufficient() const noexcept { return no_new_privs && syscall_filter; }
};

/// What the kernel offers. Changes nothing; any thread may ask.
SandboxSupport probe_sandbox();

struct SandboxRules {
  std::vector<std::string> writable{};  ///< directories, with all below them, or files; /dev/null always is
};

/// What was granted. The system calls are filtered in any case: there is no report otherwise.
struct SandboxReport {
  int landlock_abi = 0;
  bool files_guarded = false;              ///< no writing, making, removing, renaming outside of the writable paths
  bool memory_guarded = false;             ///< no /proc/<pid>/mem of others
  bool truncation_guarded = false;         ///< files cannot be cut to length 0 without being opened for writing either
  bool abstract_sockets_guarded = false;   ///< no connection to those of others; signals are refused twice
  std::vector<std::string> not_granted{};  ///< SandboxSupport::lacking
};

/// Sandboxes the calling process. It must have no other thread: they would be left outside. Threads that it starts
/// afterwards are inside, and so are programs that it becomes.
///
/// Throws std::system_error naming the part that this kernel refuses, or the writable path that cannot be opened; the
/// process may then be inside by half, and must end.
SandboxReport enter_sandbox(const SandboxRules& rules);

}  // namespace bulkhead::os
