// What a threaded run says to spdlog's default logger. From any thread.
#pragma once

#include <bulkhead/outcome.hpp>

namespace bulkhead::detail {

/// A wait on a queue has timed out and is begun again.
void log_queue_timeout(const char* what) noexcept;
/// An exception that can become no task's outcome.
void log_lost_exception(const char* where, const Failure& failure) noexcept;

}  // namespace bulkhead::detail
