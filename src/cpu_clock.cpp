#include <bulkhead/detail/cpu_clock.hpp>

#include "os/clock.hpp"

namespace bulkhead::detail {

std::chrono::nanoseconds thread_cpu_time() noexcept { return os::thread_cpu_time(); }

}  // namespace bulkhead::detail
