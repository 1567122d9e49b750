// The checksum of floors that sign what they send: one instruction for eight bytes, where the compiler may use it.
#pragma once

#include <cstdint>

namespace bench {

/// Continues `sum`, from 0 on.
inline std::uint64_t check_on(std::uint64_t sum, std::uint64_t value) {
#ifdef __SSE4_2__
  return __builtin_ia32_crc32di(sum, value);
#else
  return (sum ^ value) * 0x9e3779b97f4a7c15;
#endif
}

}  // namespace bench
