#include "ipc/crc32c.hpp"

#include <boost/crc.hpp>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace bulkhead::ipc {

namespace {

std::uint32_t continue_by_table(std::uint32_t seed, const std::byte* data, std::size_t size) noexcept {
  // Boost keeps the remainder unreflected; the reflected form below continues from any seed as the instruction does.
  std::uint32_t crc = seed;
  static const auto table = [] {
    struct {
      std::uint32_t of[256];
    } made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      boost::crc_optimal<32, 0x1EDC6F41, 0, 0, true, true> one;
      one.process_byte(static_cast<unsigned char>(i));
      made.of[i] = one.checksum();
    }
    return made;
  }();
  for (std::size_t i = 0; i < size; ++i) crc = table.of[(crc ^ static_cast<std::uint8_t>(data[i])) & 0xff] ^ (crc >> 8);
  return crc;
}

std::uint32_t by_table(std::uint32_t seed, std::uint64_t first, std::uint32_t second, const std::byte* data,
                       std::size_t size) noexcept {
  seed = continue_by_table(seed, reinterpret_cast<const std::byte*>(&first), sizeof first);
  seed = continue_by_table(seed, reinterpret_cast<const std::byte*>(&second), sizeof second);
  return continue_by_table(seed, data, size);
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t seed, std::uint64_t first,
                                                               std::uint32_t second, const std::byte* data,
                                                               std::size_t size) noexcept {
  std::uint64_t word;
  std::uint64_t crc = _mm_crc32_u32(static_cast<std::uint32_t>(_mm_crc32_u64(seed, first)), second);
  for (; size >= 8; size -= 8, data += 8) {
    std::memcpy(&word, data, sizeof word);
    crc = _mm_crc32_u64(crc, word);
  }
  auto narrow = static_cast<std::uint32_t>(crc);
  for (; size > 0; --size, ++data) narrow = _mm_crc32_u8(narrow, static_cast<std::uint8_t>(*data));
  return narrow;
}

using Method = std::uint32_t (*)(std::uint32_t, std::uint64_t, std::uint32_t, const std::byte*, std::size_t) noexcept;
const Method method = __builtin_cpu_supports("sse4.2") ? by_instruction : by_table;
#else
constexpr auto method = by_table;
#endif

}  // namespace

std::uint32_t crc32c(std::uint32_t seed, std::uint64_t first, std::uint32_t second,
                     std::span<const std::byte> bytes) noexcept {
  return method(seed, first, second, bytes.data(), bytes.size());
}

}  // namespace bulkhead::ipc
