#include "ipc/crc32c.hpp"

#include "os/apart.hpp"
#include "os/at_birth.hpp"
#include "os/processor.hpp"

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
  BULKHEAD_APART static const auto table = [] {
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

// Whole words, and four quarters of a range; what they leave over stands behind the fourth.
constexpr std::size_t quarter_of(std::size_t size) {
  return size / (4 * sizeof(std::uint64_t)) * sizeof(std::uint64_t);
}

// Comes between the first quarter's sum and the second's: without it the two would be added as they are, and what is
// wrong in both alike, or exchanged between them, would not be noticed.
constexpr std::uint32_t apart = 0;

std::uint32_t range_by_table(std::uint32_t seed, const std::byte* data, std::size_t size) noexcept {
  if (size < quartered) return continue_by_table(seed, data, size);
  const std::size_t quarter = quarter_of(size);
  seed = continue_by_table(seed, data, quarter);
  seed = continue_by_table(seed, reinterpret_cast<const std::byte*>(&apart), sizeof apart);
  for (std::size_t i = 1; i < 4; ++i) {
    const std::uint32_t sum = continue_by_table(0, data + i * quarter, quarter);
    seed = continue_by_table(seed, reinterpret_cast<const std::byte*>(&sum), sizeof sum);
  }
  return continue_by_table(seed, data + 4 * quarter, size - 4 * quarter);
}

std::uint32_t by_table(std::uint32_t seed, std::uint64_t first, std::uint32_t second, const std::byte* data,
                       std::size_t size) noexcept {
  seed = continue_by_table(seed, reinterpret_cast<const std::byte*>(&first), sizeof first);
  seed = continue_by_table(seed, reinterpret_cast<const std::byte*>(&second), sizeof second);
  return range_by_table(seed, data, size);
}

std::uint32_t values_by_table(std::uint32_t seed, const std::byte* data, std::size_t size, std::size_t each,
                              std::size_t stride) noexcept {
  for (std::size_t at = 0; at < size; at += stride) seed = range_by_table(seed, data + at, each);
  return seed;
}

}  // namespace

// Right at any time: until `chosen` is initialised, for who runs tasks that early, it goes by table.
constinit bool crc32c_is_an_instruction = false;

std::uint32_t crc32c_of_number_by_table(std::uint32_t seed, std::uint64_t value) noexcept {
  return range_by_table(seed, reinterpret_cast<const std::byte*>(&value), sizeof value);
}

namespace {

#if defined(__x86_64__)
std::uint64_t word_at(const std::byte* data) noexcept {
  std::uint64_t word;
  std::memcpy(&word, data, sizeof word);
  return word;
}

__attribute__((target("sse4.2"))) std::uint32_t continue_by_instruction(std::uint64_t crc, const std::byte* data,
                                                                        std::size_t size) noexcept {
  for (; size >= 8; size -= 8, data += 8) crc = _mm_crc32_u64(crc, word_at(data));
  auto narrow = static_cast<std::uint32_t>(crc);
  for (; size > 0; --size, ++data) narrow = _mm_crc32_u8(narrow, static_cast<std::uint8_t>(*data));
  return narrow;
}

// One such instruction takes three cycles, but each cycle can begin one.
__attribute__((target("sse4.2"))) std::uint32_t quarters_by_instruction(std::uint64_t sum0, const std::byte* data,
                                                                        std::size_t size) noexcept {
  const std::size_t quarter = quarter_of(size);
  std::uint64_t sum1 = 0, sum2 = 0, sum3 = 0;
  const std::byte *const from1 = data + quarter, *const from2 = from1 + quarter, *const from3 = from2 + quarter;
  for (std::size_t at = 0; at < quarter; at += sizeof(std::uint64_t)) {
    sum0 = _mm_crc32_u64(sum0, word_at(data + at));
    sum1 = _mm_crc32_u64(sum1, word_at(from1 + at));
    sum2 = _mm_crc32_u64(sum2, word_at(from2 + at));
    sum3 = _mm_crc32_u64(sum3, word_at(from3 + at));
  }
  sum0 = _mm_crc32_u32(static_cast<std::uint32_t>(sum0), apart);
  for (const std::uint64_t sum : {sum1, sum2, sum3})
    sum0 = _mm_crc32_u32(static_cast<std::uint32_t>(sum0), static_cast<std::uint32_t>(sum));
  return continue_by_instruction(sum0, from3 + quarter, size - 4 * quarter);
}

// What a sum becomes when `piece` bytes of zeros follow: the sum of what comes behind them is added to that. It is
// linear, so what each of its four bytes becomes is looked up.
constexpr std::size_t piece = 256;
struct Followed {
  std::uint32_t by[4][256];
  constexpr std::uint32_t operator()(std::uint64_t sum) const noexcept {
    return by[0][sum & 0xff] ^ by[1][sum >> 8 & 0xff] ^ by[2][sum >> 16 & 0xff] ^ by[3][sum >> 24 & 0xff];
  }
};

constexpr Followed followed = [] {
  constexpr std::uint32_t polynomial = 0x82F63B78;
  Followed made{};
  for (unsigned place = 0; place < 4; ++place)
    for (unsigned byte = 1; byte < 256; ++byte) {
      const unsigned lowest = byte & -byte;
      if (byte != lowest) {
        made.by[place][byte] = made.by[place][lowest] ^ made.by[place][byte ^ lowest];
        continue;
      }
      std::uint32_t sum = byte << 8 * place;
      for (std::size_t bit = 0; bit < 8 * piece; ++bit) sum = (sum & 1) != 0 ? sum >> 1 ^ polynomial : sum >> 1;
      made.by[place][byte] = sum;
    }
  return made;
}();

// The same as one word after the other, which a growing run's sum is defined as; but four pieces at once.
__attribute__((target("sse4.2"))) std::uint32_t in_four_by_instruction(std::uint64_t sum, const std::byte* data,
                                                                       std::size_t size) noexcept {
  for (; size >= 4 * piece; size -= 4 * piece, data += 4 * piece) {
    std::uint64_t sum1 = 0, sum2 = 0, sum3 = 0;
    for (const std::byte* at = data; at != data + piece; at += sizeof(std::uint64_t)) {
      sum = _mm_crc32_u64(sum, word_at(at));
      sum1 = _mm_crc32_u64(sum1, word_at(at + piece));
      sum2 = _mm_crc32_u64(sum2, word_at(at + 2 * piece));
      sum3 = _mm_crc32_u64(sum3, word_at(at + 3 * piece));
    }
    sum = followed(followed(followed(sum) ^ sum1) ^ sum2) ^ sum3;
  }
  return continue_by_instruction(sum, data, size);
}

BULKHEAD_AT_BIRTH __attribute__((target("sse4.2"))) std::uint32_t by_instruction(
    std::uint32_t seed, std::uint64_t first, std::uint32_t second, const std::byte* data, std::size_t size) noexcept {
  const std::uint64_t crc = _mm_crc32_u32(static_cast<std::uint32_t>(_mm_crc32_u64(seed, first)), second);
  return size < quartered ? continue_by_instruction(crc, data, size) : quarters_by_instruction(crc, data, size);
}

__attribute__((target("sse4.2"))) std::uint32_t values_by_instruction(std::uint32_t seed, const std::byte* data,
                                                                      std::size_t size, std::size_t each,
                                                                      std::size_t stride) noexcept {
  if (each == stride && each < quartered) return in_four_by_instruction(seed, data, size);  // they lie without gaps
  for (std::size_t at = 0; at < size; at += stride)
    seed = each < quartered ? continue_by_instruction(seed, data + at, each)
                            : quarters_by_instruction(seed, data + at, each);
  return seed;
}

[[maybe_unused]] const bool chosen = crc32c_is_an_instruction = os::has_sse4_2();
#endif

}  // namespace

BULKHEAD_AT_BIRTH std::uint32_t crc32c(std::uint32_t seed, std::uint64_t first, std::uint32_t second,
                                       std::span<const std::byte> bytes) noexcept {
#if defined(__x86_64__)
  if (crc32c_is_an_instruction) return by_instruction(seed, first, second, bytes.data(), bytes.size());
#endif
  return by_table(seed, first, second, bytes.data(), bytes.size());
}

std::uint32_t crc32c_of_values(std::uint32_t seed, std::span<const std::byte> values, std::size_t each,
                               std::size_t stride) noexcept {
#if defined(__x86_64__)
  if (crc32c_is_an_instruction) return values_by_instruction(seed, values.data(), values.size(), each, stride);
#endif
  return values_by_table(seed, values.data(), values.size(), each, stride);
}

}  // namespace bulkhead::ipc
