// The exception in hand, put into the words of a Failure.
#pragma once

#include <bulkhead/options.hpp>
#include <bulkhead/outcome.hpp>

#include <cstdint>

namespace bulkhead::detail {

/// For use in a catch block: `ending`, the exception's demangled type, and its what() (nested ones after it, joined
/// by "; because of "). A std::string or const char* that was thrown is its own what(). Never throws: without memory
/// for the words they stay empty.
Failure failure_from_current_exception(Ending ending = Ending::exception) noexcept;

/// Which limits a task runs under: an exception that can only mean one of them gets that one's ending.
struct TaskLimits {
  std::uint64_t max_result_bytes, memory, file_size;
  unsigned open_files;

  TaskLimits(const WorkOptions& options) noexcept  // NOLINT(google-explicit-constructor): a view of some of them
      : max_result_bytes(options.max_result_bytes),
        memory(options.memory_limit),
        file_size(options.file_size),
        open_files(options.open_files) {}
};

/// The same, under limits: std::bad_alloc is `out_of_memory` where memory is limited; a std::system_error that says
/// "too many open files" or "file too large" is `limit_exceeded` where these are.
Failure failure_under_limits(const TaskLimits& limits, Ending ending) noexcept;

}  // namespace bulkhead::detail
