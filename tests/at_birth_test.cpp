// What every worker runs at its birth lies on few pages: see os/at_birth.hpp.
#include "catch.hpp"

#include <bulkhead/detail/current_task.hpp>

#include "ipc/crc32c.hpp"
#include "os/child.hpp"
#include "os/clock.hpp"
#include "os/descendants.hpp"
#include "os/futex.hpp"
#include "os/lifeline.hpp"
#include "os/limits.hpp"
#include "os/memory_file.hpp"
#include "os/private_descriptors.hpp"
#include "os/remote_fence.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace bulkhead;

namespace {

template <class Result, class... Arguments>
std::uintptr_t place_of(Result (*function)(Arguments...)) {
  return reinterpret_cast<std::uintptr_t>(function);
}
template <class Result, class... Arguments>
std::uintptr_t place_of(Result (*function)(Arguments...) noexcept) {
  return reinterpret_cast<std::uintptr_t>(function);
}

}  // namespace

#if !defined(__SANITIZE_ADDRESS__)  // which makes functions several times as long
TEST_CASE("what every worker runs at its birth lies together", "[at-birth]") {
  const std::vector<std::uintptr_t> places{place_of(os::fork_silently),
                                           place_of(os::lead_own_group),
                                           place_of(os::name_process),
                                           place_of(os::adopt_orphans),
                                           place_of(os::tie_to),
                                           place_of(os::keep_from_children),
                                           place_of(os::close_private_descriptors),
                                           place_of(os::accept_remote_fences),
                                           place_of(os::limit_this_process),
                                           place_of(os::now_by_system_call),
                                           place_of(os::futex_wait),
                                           place_of(ipc::crc32c),
                                           place_of(detail::current_task)};
  const auto [first, last] = std::ranges::minmax(places);
  CHECK(first != last);
  CHECK(last - first < 64u << 10);  // they come from all over the library
}
#endif
