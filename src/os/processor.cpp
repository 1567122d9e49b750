#include "os/processor.hpp"

// glibc's header says _Bool, which clang does not know in strict C++.
#if defined(__x86_64__) && !defined(__clang__) && __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#endif

namespace bulkhead::os {

bool has_sse4_2() noexcept {
#if defined(CPU_FEATURE_ACTIVE)
  // glibc has asked already. The compiler's own answer asks again, before main(): each question takes a virtual machine
  // some 20 us.
  return CPU_FEATURE_ACTIVE(SSE4_2);
#elif defined(__x86_64__)
  return __builtin_cpu_supports("sse4.2") != 0;
#else
  return false;
#endif
}

}  // namespace bulkhead::os
