#include "os/cores.hpp"

#include <sched.h>

#include <cerrno>
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

}  // namespace bulkhead::os
