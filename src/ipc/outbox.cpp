#include "ipc/outbox.hpp"

#include "os/child.hpp"
#include "os/memory_file.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace bulkhead::ipc {

void Outbox::put_copy(FrameKind kind, std::uint64_t task, unsigned attempt, std::span<const std::byte> payload) {
  if (payload.size() > max_ring_payload) return put_straight(kind, task, attempt, payload);
  std::copy(payload.begin(), payload.end(), room(payload.size()).begin());
  put(kind, task, attempt, payload.size());
}

void Outbox::flush() {
  const std::uint64_t from = sent_ % outbox_ring_bytes;
  const std::uint64_t first = std::min(unsent(), outbox_ring_bytes - from);
  const std::span<const std::byte> ring(ring_, outbox_ring_bytes);
  if (!os::write_all(pipe_, ring.subspan(from, first), ring.first(unsent() - first))) os::leave_worker(0);
  sent_ = end_;
}

void Outbox::make_room(std::uint64_t needed) {
  const std::uint64_t to_end = outbox_ring_bytes - end_ % outbox_ring_bytes;
  // A header more than needed: what is left at the ring's end always holds the filler's own header.
  if (to_end < needed + sizeof(FrameHeader)) {
    wait_for_acknowledgement(end_ + to_end + needed);
    occupy(outbox_ring_bytes);
    put(FrameKind::skip, 0, 0, to_end - sizeof(FrameHeader));
  } else {
    wait_for_acknowledgement(end_ + needed);
  }
  occupy(end_ % outbox_ring_bytes + needed + sizeof(FrameHeader));
  const std::uint64_t lap = end_ - end_ % outbox_ring_bytes;
  room_end_ =
      std::min(lap + occupied_ - sizeof(FrameHeader), std::max(lane_.acknowledged(), straight_) + outbox_ring_bytes);
}

// Where there is no memory for it the process ends, and its death is told as what it is.
void Outbox::occupy(std::uint64_t bytes) {
  constexpr std::uint64_t growth = 4;
  if (bytes <= occupied_) return;
  std::uint64_t enough = occupied_;
  while (enough < bytes) enough = std::min(enough * growth, outbox_ring_bytes);
  if (!os::occupy_pages(ring_ + occupied_, enough - occupied_)) {
    page_.note_refusal();
    os::leave_worker(1);
  }
  occupied_ = enough;
}

void Outbox::wait_for_acknowledgement(std::uint64_t until) {
  const auto free = [&] { return until <= std::max(lane_.acknowledged(), straight_) + outbox_ring_bytes; };
  if (free()) return;
  flush();
  while (!free()) {
    const std::uint32_t heard = lane_.bell();
    page_.set_asleep(Sleep::for_acknowledgement);
    if (!free()) lane_.sleep(heard);
    page_.set_asleep(Sleep::awake);
  }
}

void Outbox::put_straight(FrameKind kind, std::uint64_t task, unsigned attempt, std::span<const std::byte> payload) {
  flush();
  const FrameHeader made = header(kind, task, attempt, payload);
  std::array<std::byte, frame_alignment + sizeof(FrameHeader)> behind{};
  std::size_t size_behind = frame_stride(payload.size()) - sizeof made - payload.size();
  end_ += frame_stride(payload.size());
  if (outbox_ring_bytes - end_ % outbox_ring_bytes < sizeof(FrameHeader)) {
    // Unlike a frame of the ring, this one may end so near to the ring's end that no filler fits there: it goes along.
    const FrameHeader filler = header(FrameKind::skip, 0, 0, {});
    std::memcpy(behind.data() + size_behind, &filler, sizeof filler);
    size_behind += sizeof filler;
    end_ += sizeof filler;
  }
  if (!os::write_all(pipe_, std::as_bytes(std::span(&made, 1)), payload) ||
      !os::write_all(pipe_, std::span(behind).first(size_behind)))
    os::leave_worker(0);
  sent_ = straight_ = room_end_ = end_;
  page_.ring_from.store(end_, std::memory_order_release);
  page_.commit(end_);
}

}  // namespace bulkhead::ipc
