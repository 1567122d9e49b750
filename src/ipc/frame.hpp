// What a worker says on its pipe: frames of a fixed header and a payload, at absolute offsets of one byte stream.
//
// Nothing a worker writes is trusted. A frame counts when its magic, kind, length and checksum fit, and when it names
// the task that stands first in that worker's lane. The checksum is seeded with a number that the worker of one
// incarnation alone has, so that a frame of another worker, or of an earlier one, does not check out.
#pragma once

#include <bulkhead/outcome.hpp>

#include "ipc/crc32c.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

namespace bulkhead::ipc {

enum class FrameKind : std::uint8_t {
  value = 1,  // the encoded result
  failure,    // why there is none; see FailurePayload
  declined,   // the record had been taken back before the worker started it
  measured,   // how long the next result took, and the worker's peak memory; see MeasuredPayload
  output,     // a channel number and bytes that the running task emitted
  skip,       // filler up to the end of the ring
  serving,    // the first frame of all: the worker was set up, and what it dies of now is no death at birth
  left,       // how many processes the task left, which were ended; attempt 0: one of those since the last such look
  value_in_annex,  // the encoded result lies in the worker's annex; see AnnexPayload
  values,          // a run: the results of consecutive tasks, all of one size; see below
  last = values,
};

// A run of values grows where it stands: each new one is stored behind the others, and then counts by one store of the
// header's first eight bytes, checksum and size. So a worker may die between any two instructions, and all that it
// finished is there; and what every task costs is not a header, nor a checksum of its own to be compared.
struct FrameHeader {
  std::uint32_t checksum;  // over the rest of the header and the payload
  std::uint32_t size;      // of the payload, bytes
  std::uint32_t task;      // the low half of the task's index, of a run the first one's; the lane knows the rest
  std::uint16_t attempt;   // of a run, all of first attempts: the bytes of each value
  FrameKind kind;
  std::uint8_t magic;
};
static_assert(sizeof(FrameHeader) == 16 && alignof(FrameHeader) == 4);

inline constexpr std::uint8_t frame_magic = 0xB5;
inline constexpr std::size_t frame_alignment = 8;
/// Frames with a larger payload never stand in a ring: they go straight to the pipe.
inline constexpr std::size_t max_ring_payload = 32u << 10;

/// A run's payload is no longer than this: damage costs no more.
inline constexpr std::size_t max_run_payload = 8u << 10;

/// How far apart the values of a run stand. One without a byte stands there as eight zeros, so that it can be counted.
constexpr std::size_t value_stride(std::size_t each) noexcept {
  return std::max<std::size_t>(frame_alignment, (each + frame_alignment - 1) & ~(frame_alignment - 1));
}

struct MeasuredPayload {
  std::uint64_t ran_ns;
  std::uint64_t peak_rss_kib;
};

struct AnnexPayload {
  std::uint64_t offset;  // in the annex
  std::uint64_t size;
  std::uint64_t checksum;  // over these bytes, seeded like a frame's
};

struct LeftPayload {
  std::uint64_t count;
};

/// The bytes a frame takes in the stream: frames start at multiples of eight.
constexpr std::uint64_t frame_stride(std::uint64_t payload) noexcept {
  return sizeof(FrameHeader) + ((payload + frame_alignment - 1) & ~std::uint64_t{frame_alignment - 1});
}

/// Of the header, and of `payload` behind it.
inline std::uint32_t header_checksum(const FrameHeader& header, std::uint32_t seed,
                                     std::span<const std::byte> payload = {}) noexcept {
  const std::uint64_t first = header.size | static_cast<std::uint64_t>(header.task) << 32;
  const std::uint32_t second =
      header.attempt | static_cast<std::uint32_t>(header.kind) << 16 | static_cast<std::uint32_t>(header.magic) << 24;
  return crc32c(seed, first, second, payload);
}

/// Of what stays the same while a run grows: the values' sum goes on from here. That there are as many as it says is in
/// the sum already.
inline std::uint32_t head_of_run_checksum(FrameHeader header, std::uint32_t seed) noexcept {
  header.size = 0;
  return header_checksum(header, seed);
}

/// Continued from `sum` by more values of `each` bytes.
inline std::uint32_t run_checksum(std::uint32_t sum, std::size_t each, std::span<const std::byte> values) noexcept {
  const std::size_t stride = value_stride(each);
  return crc32c_of_values(sum, values, each != 0 ? each : stride, stride);
}

inline std::uint32_t frame_checksum(const FrameHeader& header, std::uint32_t seed,
                                    std::span<const std::byte> payload) noexcept {
  if (header.kind == FrameKind::values)
    return run_checksum(head_of_run_checksum(header, seed), header.attempt, payload);
  // Filler is skipped, never read: its bytes are whatever stood there.
  return header_checksum(header, seed, header.kind == FrameKind::skip ? std::span<const std::byte>{} : payload);
}

inline std::uint64_t annex_checksum(std::uint32_t seed, std::span<const std::byte> value) noexcept {
  return crc32c(seed, value.size(), 0, value);
}

enum class FrameCheck : std::uint8_t { whole, incomplete, bad };

/// What a run's values count by, in one store: the header's first eight bytes.
inline std::uint64_t counted_by(std::uint32_t checksum, std::uint32_t size) noexcept {
  return std::bit_cast<std::uint64_t>(std::array{checksum, size});
}

inline std::uint32_t checksum_counted_by(std::uint64_t word) noexcept {
  return std::bit_cast<std::array<std::uint32_t, 2>>(word)[0];
}
inline std::uint32_t size_counted_by(std::uint64_t word) noexcept {
  return std::bit_cast<std::array<std::uint32_t, 2>>(word)[1];
}

struct ParsedFrame {
  FrameCheck check = FrameCheck::incomplete;
  FrameHeader header{};
  std::span<const std::byte> payload{};
};

/// Whether a header can be one of ours at all: asked before a byte of memory is spent on its payload.
inline bool plausible(const FrameHeader& header, std::uint64_t max_payload) noexcept {
  if (header.magic != frame_magic || header.kind < FrameKind::value || header.kind > FrameKind::last) return false;
  if (header.kind != FrameKind::values) return header.size <= max_payload;
  return header.attempt <= max_payload && header.size != 0 && header.size <= max_run_payload &&
         header.size % value_stride(header.attempt) == 0;
}

/// Whether what starts there says that it is a run.
inline bool begins_run(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= sizeof(FrameHeader) && bytes[offsetof(FrameHeader, kind)] == std::byte(FrameKind::values);
}

/// Reads the frame that starts at bytes[0]. Pure; never reads outside of `bytes`.
inline ParsedFrame parse_frame(std::span<const std::byte> bytes, std::uint32_t seed,
                               std::uint64_t max_payload) noexcept {
  ParsedFrame frame;
  if (bytes.size() < sizeof(FrameHeader)) return frame;
  std::memcpy(&frame.header, bytes.data(), sizeof frame.header);
  if (!plausible(frame.header, max_payload)) {
    frame.check = FrameCheck::bad;
    return frame;
  }
  if (bytes.size() < frame_stride(frame.header.size)) return frame;
  frame.payload = bytes.subspan(sizeof(FrameHeader), frame.header.size);
  frame.check =
      frame_checksum(frame.header, seed, frame.payload) == frame.header.checksum ? FrameCheck::whole : FrameCheck::bad;
  return frame;
}

/// A failure that a worker reports about its own task (it is alive): ending, type and words.
std::string encode_failure(const Failure& failure);
/// Nothing if the payload is malformed or claims an ending that only the coordinator may give.
std::optional<Failure> decode_failure(std::span<const std::byte> payload);

}  // namespace bulkhead::ipc
