#include <bulkhead/detail/thread_warnings.hpp>

#include <spdlog/spdlog.h>

namespace bulkhead::detail {

// Neither throws: spdlog keeps its own errors to itself, and without memory for the words there is nothing to say.

void log_queue_timeout(const char* what) noexcept { spdlog::warn(what); }

void log_lost_exception(const char* where, const Failure& failure) noexcept {
  try {
    spdlog::warn("{} failed, which no task's outcome can tell: {}", where, failure.describe());
  } catch (...) {
  }
}

}  // namespace bulkhead::detail
