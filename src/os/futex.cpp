#include "os/futex.hpp"

#include "os/at_birth.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace bulkhead::os {

BULKHEAD_AT_BIRTH void futex_wait(const std::uint32_t* word, std::uint32_t expected,
                                  std::chrono::milliseconds timeout) noexcept {
  const timespec relative{static_cast<time_t>(timeout.count() / 1000),
                          static_cast<long>(timeout.count() % 1000) * 1'000'000};
  ::syscall(SYS_futex, word, FUTEX_WAIT, expected, &relative, nullptr, 0);
}

void futex_wake(const std::uint32_t* word) noexcept { ::syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }

}  // namespace bulkhead::os
