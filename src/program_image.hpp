// A Command as the room below takes it.
#pragma once

#include <bulkhead/command.hpp>

#include "os/program_sandbox.hpp"
#include "os/spawn.hpp"

#include <memory>

namespace bulkhead {

/// An image, and what it points to.
struct PreparedProgram {
  os::ProgramImage image{};
  std::unique_ptr<os::ProgramSandbox> sandbox{};
  std::string problem{};  ///< more words where it cannot be started
};

/// Fills the image, all but its streams. Returns 0, or the errno for which it cannot be started.
int prepare(const Command& command, PreparedProgram& program);

/// Ours with its own added, or its own alone: K=V, and a null at the end. Borrowed from both.
std::vector<const char*> environment_of(const Command& command);

/// Its end_steps, of which the last is KILL.
std::vector<EndStep> end_steps_of(const Command& command);

/// What its PATH is, or nullptr.
const char* path_of(const std::vector<const char*>& environment);

/// What a shell reports for a program that could not be started: 127 or 126.
int shell_code(int start_error) noexcept;

}  // namespace bulkhead
