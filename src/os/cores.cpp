#include "os/cores.hpp"

#include "os/at_birth.hpp"

#include <sched.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace bulkhead::os {
namespace {

struct FreeSet {
  void operator()(cpu_set_t* set) const noexcept { CPU_FREE(set); }
};

}  // namespace

unsigned affinity_cores() noexcept {
  // EINVAL means that this machine has more cores than the mask has bits.
  for (int bits = 1024; bits <= 1 << 20; bits *= 2) {
    const std::unique_ptr<cpu_set_t, FreeSet> set(CPU_ALLOC(static_cast<std::size_t>(bits)));
    if (!set) return 0;
    const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(bits));
    CPU_ZERO_S(size, set.get());
    if (::sched_getaffinity(0, size, set.get()) == 0) return static_cast<unsigned>(CPU_COUNT_S(size, set.get()));
    if (errno != EINVAL) return 0;
  }
  return 0;
}

// What nobody has chosen is to follow the machine and its control group later, also downwards and up again: a mask that
// was read and set is for ever.
void CorePin::pin() noexcept {
  if (pinned_ || ::sched_getaffinity(0, sizeof allowed_, &allowed_) != 0) return;
  const int here = ::sched_getcpu();
  if (here < 0 || here >= CPU_SETSIZE) return;
  cpu_set_t every, widest, only;
  std::memset(&every, 0xff, sizeof every);
  if (::sched_setaffinity(0, sizeof every, &every) != 0) return;
  if (::sched_getaffinity(0, sizeof widest, &widest) == 0 && CPU_EQUAL(&widest, &allowed_)) allowed_ = every;
  CPU_ZERO(&only);
  CPU_SET(here, &only);
  pinned_ = true;
  if (::sched_setaffinity(0, sizeof only, &only) != 0) unpin();
}

BULKHEAD_AT_BIRTH void CorePin::unpin() noexcept {
  if (pinned_ && ::sched_setaffinity(0, sizeof allowed_, &allowed_) == 0) pinned_ = false;
}

}  // namespace bulkhead::os
