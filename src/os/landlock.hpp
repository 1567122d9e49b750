// Landlock: which files a process may still change. Irrevocable, and inherited by whatever it starts.
//
// A process under Landlock can also no longer trace, or read or write the memory of, any process outside of its own
// domain: /proc/<pid>/mem, process_vm_writev and their kin. Each worker that calls this has a domain of its own.
#pragma once

#include "os/fd.hpp"

#include <string>
#include <vector>

namespace bulkhead::os {

struct LandlockVersion {
  int abi = 0;    ///< 1 and more; 0: this kernel has none
  int error = 0;  ///< where it has none: the errno it answers with
};
LandlockVersion landlock_version() noexcept;

// What the ABI versions added, as far as it is used here.
inline constexpr int landlock_moves = 2, landlock_truncation = 3, landlock_device_commands = 5, landlock_scopes = 6;

/// From here on the calling thread can change files only below `writable` (a directory, or a file itself) and
/// /dev/null. What may be read and executed stays as it is, and so does what is open already. From ABI 6 on it can also
/// no longer signal processes outside of its domain, nor connect to their abstract sockets.
///
/// Needs no_new_privs. `abi` is at most what landlock_version() says. Throws std::system_error, also for a path that
/// cannot be opened.
void restrict_writing(int abi, const std::vector<std::string>& writable);

/// For a program: what restrict_writing() takes, made beforehand, but that no devices can be made anywhere. Throws
/// std::system_error.
Fd prepare_ruleset(int abi, const std::vector<std::string>& writable);
/// Adds a directory, which may be missing. Neither allocates nor locks.
void add_writable_directory(const Fd& ruleset, int abi, const char* path) noexcept;
/// From here on it holds for the calling thread. Needs no_new_privs. False: refused, see errno.
bool enforce(const Fd& ruleset) noexcept;

}  // namespace bulkhead::os
