// What a worker says on its pipe: frames of a fixed header and a payload, at absolute offsets of one byte stream.
//
// Nothing a worker writes is trusted. A frame counts when its magic, kind, length and checksum fit, and when it names
// the task that stands first in that worker's lane. The checksum is seeded with a number that the worker of one
// incarnation alone has, so that a frame of another worker, or of an earlier one, does not check out.
#pragma once

#include <bulkhead/outcome.hpp>

#include "ipc/crc32c.hpp"

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
  last = value_in_annex,
};

struct FrameHeader {
  std::uint32_t checksum;  // over the rest of the header and the payload
  std::uint32_t size;      // of the payload, bytes
  std::uint32_t task;      // the low half of the task's index; the lane knows the rest
  std::uint16_t attempt;
  FrameKind kind;
  std::uint8_t magic;
};
static_assert(sizeof(FrameHeader) == 16 && alignof(FrameHeader) == 4);

inline constexpr std::uint8_t frame_magic = 0xB5;
inline constexpr std::size_t frame_alignment = 8;
/// Frames with a larger payload never stand in a ring: they go straight to the pipe.
inline constexpr std::size_t max_ring_payload = 32u << 10;

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

inline std::uint32_t frame_checksum(const FrameHeader& header, std::uint32_t seed,
                                    std::span<const std::byte> payload) noexcept {
  const std::uint64_t first = header.size | static_cast<std::uint64_t>(header.task) << 32;
  const std::uint32_t second =
      header.attempt | static_cast<std::uint32_t>(header.kind) << 16 | static_cast<std::uint32_t>(header.magic) << 24;
  // Filler is skipped, never read: its bytes are whatever stood there.
  return crc32c(seed, first, second, header.kind == FrameKind::skip ? std::span<const std::byte>{} : payload);
}

inline std::uint64_t annex_checksum(std::uint32_t seed, std::span<const std::byte> value) noexcept {
  return crc32c(seed, value.size(), 0, value);
}

enum class FrameCheck : std::uint8_t { whole, incomplete, bad };

struct ParsedFrame {
  FrameCheck check = FrameCheck::incomplete;
  FrameHeader header{};
  std::span<const std::byte> payload{};
};

/// Whether a header can be one of ours at all: asked before a byte of memory is spent on its payload.
inline bool plausible(const FrameHeader& header, std::uint64_t max_payload) noexcept {
  return header.magic == frame_magic && header.kind >= FrameKind::value && header.kind <= FrameKind::last &&
         header.size <= max_payload;
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
