// What a program under Isolation::strict is kept from: files outside of its places, networks, tracing, the machine. It
// is prepared in a worker and entered by the fresh child that becomes the program, where nothing can be allocated.
#pragma once

#include "os/fd.hpp"
#include "os/namespace_steps.hpp"

#include <linux/filter.h>

#include <string>
#include <vector>

namespace bulkhead::os {

class ProgramSandbox {
 public:
  /// `writable`: absolute paths without symbolic links, of directories or files. Throws std::system_error.
  explicit ProgramSandbox(std::vector<std::string> writable);

  /// In the first process of new pid and mount namespaces.
  Refusal guard_files() const noexcept;
  /// In the child, just before execve(). False: refused, see errno.
  bool enter() const noexcept;

 private:
  std::vector<std::string> writable_;
  std::vector<const char*> names_;
  int landlock_abi_;
  Fd ruleset_{};  // none where the kernel has no Landlock
  std::vector<sock_filter> filter_;
};

/// Why it cannot be had here; empty: it can, as far as that can be told without trying.
std::string lack_of_program_sandbox();
/// One sentence for each thing that it does not guard on this kernel.
std::vector<std::string> gaps_of_program_sandbox();

}  // namespace bulkhead::os
