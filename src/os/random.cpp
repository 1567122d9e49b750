#include "os/random.hpp"

#include "os/child.hpp"
#include "os/clock.hpp"

#include <sys/random.h>

namespace bulkhead::os {

std::uint64_t random_number() noexcept {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, GRND_NONBLOCK) == sizeof number) return number;
  return static_cast<std::uint64_t>(now().count()) ^ process_identity() << 40;
}

}  // namespace bulkhead::os
