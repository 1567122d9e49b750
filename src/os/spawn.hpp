// Starting a program without copying the page tables: the child borrows our memory until it has become the program.
#pragma once

#include "os/fd.hpp"
#include "os/first_process.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bulkhead::os {

class ProgramSandbox;

/// What the program is to be. Everything is prepared here, since the child may neither allocate nor lock.
struct ProgramImage {
  std::string path;                         ///< as find_program() gave it
  std::vector<std::string> arguments;       ///< argv, the name first
  std::vector<const char*> environment;     ///< K=V, and a null at the end; borrowed
  std::string directory;                    ///< empty: ours
  int niceness = 0;                         ///< added to ours
  std::uint64_t file_size = 0;              ///< the most bytes a file it writes may have; 0: as ours
  unsigned open_files = 0;                  ///< the most descriptors it may have; 0: as we
  int input = -1, output = -1, error = -1;  ///< its standard streams; -1: ours
  bool own_namespace = false;               ///< pid and mount namespaces, see first_process.hpp
  const ProgramSandbox* sandbox = nullptr;  ///< in a namespace of its own only; null: none
  bool only_try = false;                    ///< end with 0 in the place of becoming the program
};

struct Spawned {
  int pid = 0;  ///< also its process group; 0: it did not start
  Fd pidfd{};
  int error = 0;                                                    ///< errno where it did not start
  std::string problem{};                                            ///< more words on that, where errno says little
  FirstProcess first{};                                             ///< of its own namespace; false: it lives in ours
  int child() const noexcept { return first ? first.pid() : pid; }  ///< that of our children which it is, or is below
};

/// Starts it as the leader of its own process group, with default signal actions and an empty mask (what was ignored
/// when this process was started stays ignored), and bound to end when this thread does. A script without an
/// interpreter line is given to /bin/sh. Throws std::system_error where we are out of descriptors or memory.
Spawned spawn(const ProgramImage& image);

/// All processes of a running program that are known: those of its namespace; or its descendants; or, for a process
/// whose children are all the program's, its own descendants.
std::vector<int> tree_of(const Spawned& program, bool all_children);
/// To its group and those of `tree` that have left it. SIGKILL ends a namespace as a whole.
void signal_program(const Spawned& program, std::span<const int> tree, int signal) noexcept;
/// After its end, or SIGKILL: ends what is left of it, all our children where they are all the program's.
FirstProcess::End collect(Spawned& program, bool all_children);

/// Where execvp() would find `name` for a program started in `directory` with this PATH (nullptr: the system's
/// default). A name with a slash is returned as it is; empty: nowhere. What was found last is remembered, as in a
/// shell, as long as it is there.
std::string find_program(const std::string& name, const char* path, const std::string& directory);

/// Becomes this program; throws std::system_error naming it where that fails. `environment` as in ProgramImage.
[[noreturn]] void exec_here(const std::string& path, const std::vector<std::string>& arguments,
                            const std::vector<const char*>& environment);

/// Bytes that execve() takes for arguments and environment together, the pointers to them included.
std::size_t longest_command_line() noexcept;

/// This process' environment, as K=V. Nothing is copied: it must not be changed while this is used.
std::vector<const char*> own_environment();

}  // namespace bulkhead::os
