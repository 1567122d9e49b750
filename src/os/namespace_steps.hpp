// The steps into namespaces, each a few system calls: they neither allocate nor lock, so that a fresh child of a
// process with other threads may take them too.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace bulkhead::os {

/// What the kernel can refuse on the way.
enum class NamespaceStep : std::int32_t { see_proc, create, map_user, mount_proc, start, guard_files, enter_sandbox };

struct Refusal {
  NamespaceStep step{};
  int error = 0;  ///< 0: nothing was refused
  explicit operator bool() const noexcept { return error != 0; }
};

/// What was refused, in words, and what would help.
std::string explain(const Refusal& refusal);

/// In a new user namespace: this user and group, and no other, are known there. The numbers are those of outside.
Refusal name_user(unsigned user, unsigned group) noexcept;

/// In new pid and mount namespaces: /proc shows these processes. It hides the outer one in here alone, since what is
/// mounted on a slave is not passed on.
Refusal mount_own_proc(bool read_only = false) noexcept;

/// In a new mount namespace: every file system is read-only, but for these directories or files (absolute; those above
/// others first). Where none of them has to do with /dev/shm, there is a fresh one, empty and writable.
Refusal guard_files(std::span<const char* const> writable) noexcept;

/// A task is to find itself as mighty as its host, no more: gives up all that a new user namespace gave, and does not
/// get it back by executing a program as its root.
Refusal drop_capabilities() noexcept;
/// Gives up those that reach the machine and not files: what root could still undo a sandbox with.
Refusal drop_capabilities_over_the_machine() noexcept;

}  // namespace bulkhead::os
