// How workers come into the world, whoever forks them: a fork server, or the coordinator's own process.
#pragma once

#include "os/fd.hpp"

#include <cstddef>
#include <cstdint>

namespace bulkhead::process {

/// What a fresh worker finds in its hands.
struct Cradle {
  std::size_t lane = 0;
  std::uint32_t seed = 0;
  os::Fd memory, pipe, lifeline;
  os::Fd standard_error{};  // none: the program's own
};

/// What a worker does with its life, and what it is told then. It never returns. Not a std::function: what that calls
/// through would be one page more for every worker to touch.
struct Life {
  void (*live)(void* told, Cradle cradle);
  void* told;
};

/// In the host, before it forks for the first time.
void prepare_to_fork(bool crash_notes) noexcept;
/// In the child, which is a worker or will fork some: its signals, its children and its crashes are its own from here
/// on. Its children have all this by inheritance.
void part_from_host(bool crash_notes) noexcept;

}  // namespace bulkhead::process
