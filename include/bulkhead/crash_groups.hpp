// Which failures are the same one: equal stacks form a group with a count and its smallest input.
#pragma once

#include <bulkhead/outcome.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace bulkhead {

struct CrashGroup {
  std::string title;               ///< "SIGSEGV at f under g", "std::runtime_error", "timed out"
  Failure example;                 ///< of the smallest input; of equally small ones, of the lowest task
  std::uint64_t example_task = 0;  ///< its number
  std::size_t example_bytes = 0;   ///< the size of its input
  std::size_t count = 0;           ///< failures in this group
};

/// Groups failures by how they ended, and where.
///
/// Two are the same when ending, signal, exit code and exception type are the same, and the names of the innermost
/// functions of their backtraces. Offsets do not count: one fault is often reached by several instructions of its
/// function, and a rebuild moves them all. Where code has no name its module and the offset in it stand for one; an
/// address outside of all code is like any other. A function that calls itself counts once, so that a stack overflow is
/// one group however deep it was noted. Texts (`what`) do not count: they often hold the input's own words.
///
/// Memory grows with the number of groups alone: once there are `most_groups`, what fits in none of them is counted in
/// one more, called "others". Not for use by several threads at once.
class CrashGroups {
 public:
  /// With fewer frames one fault reached in several ways is one group; with more, each way is one.
  explicit CrashGroups(std::size_t frames = 5, std::size_t most_groups = 1000)
      : frames_(frames), most_groups_(most_groups) {}

  /// `task` is the caller's number for it, `input_bytes` the size of what it was given.
  void add(std::uint64_t task, const Failure& failure, std::size_t input_bytes);
  /// The largest group first; of equally large ones the one with the smallest input. The others last.
  std::vector<CrashGroup> by_count() const;

 private:
  std::size_t frames_, most_groups_;
  std::map<std::string, CrashGroup> groups_;  // by all that makes failures equal
  CrashGroup others_;
};

}  // namespace bulkhead
