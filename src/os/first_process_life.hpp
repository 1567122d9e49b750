// The life of the first process of a program's pid namespace. It is a copy of a worker, made in the midst of whatever
// the worker's threads were doing: it neither allocates nor locks, all its life.
#pragma once

#include "os/namespace_steps.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead::os {

struct ProgramImage;
class DescriptorSocket;
class ProgramStart;

/// What the two say to each other: the first process when the program has started (with its pidfd) or has not, then the
/// worker, of which only the coming counts, then the first process how the program ended.
struct FirstProcessWord {
  bool refused = false;  ///< and at which step; otherwise `error` is why there is no program
  NamespaceStep step{};
  std::int32_t error = 0;
  bool signaled = false, dumped = false, left_something = false;
  std::int32_t number = 0;
  std::int64_t user_ns = 0, system_ns = 0;
  std::uint64_t max_rss = 0, minor_faults = 0;
};
inline std::span<std::byte> bytes_of(FirstProcessWord& word) noexcept {
  return std::as_writable_bytes(std::span(&word, 1));
}

struct FirstProcessPlan {
  const ProgramImage* image;
  ProgramStart* start;
  DescriptorSocket* socket;
  int worker;  ///< its pidfd
  unsigned user, group;
  bool user_namespace = false;
};

inline constexpr std::size_t first_process_stack_size = 256 << 10;

/// Entered by clone() with every signal blocked that could run a handler of ours. Never returns.
int live_as_first_process(void* plan);

}  // namespace bulkhead::os
