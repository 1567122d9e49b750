#include "ipc/outbox.hpp"

#include "os/apart.hpp"
#include "os/at_birth.hpp"
#include "os/child.hpp"
#include "os/clock.hpp"
#include "os/memory_file.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace bulkhead::ipc {

// On the stack it would put all that is called below it on another page.
BULKHEAD_APART static std::array<std::byte, in_place_payload> place_apart;

BULKHEAD_AT_BIRTH std::span<std::byte> Outbox::apart() noexcept { return place_apart; }

template <class Free>
void Outbox::wait_until(Free&& free) {
  if (free()) return;
  const auto began = os::now();
  flush();
  while (!free()) {
    const std::uint32_t heard = lane_.bell();
    page_.set_asleep(Sleep::for_acknowledgement);
    if (!free()) lane_.sleep(heard);
    page_.set_asleep(Sleep::awake);
  }
  waited_ += os::now() - began;
}

BULKHEAD_AT_BIRTH void Outbox::put_copy(FrameKind kind, std::uint64_t task, unsigned attempt,
                                        std::span<const std::byte> payload) {
  if (payload.size() > max_ring_payload) return put_straight(kind, task, attempt, payload);
  std::copy(payload.begin(), payload.end(), room(payload.size()).begin());
  put(kind, task, attempt, payload.size());
}

// A value that was composed behind a run, and does not continue it, makes place for a header.
void Outbox::leave_run(std::size_t size) noexcept {
  if (!grows()) return;
  end_run();
  if (end_ + frame_stride(size) > room_end_) os::leave_worker(1);  // a stray store into the head: there was room
  std::memmove(at(end_) + sizeof(FrameHeader), at(end_), size);
}

// It is committed up to its header alone: that tells it from a frame to which nothing will be added any more.
void Outbox::begin_run(std::uint64_t task) noexcept {
  FrameHeader head{
      0, 0, static_cast<std::uint32_t>(task), static_cast<std::uint16_t>(last_size_), FrameKind::values, frame_magic};
  head.checksum = head_of_run_checksum(head, seed_);
  std::memcpy(at(end_), &head, sizeof head);
  run_at_ = reinterpret_cast<std::uint64_t*>(at(end_));
  run_task_ = task;
  end_ += sizeof head;
  GrowingRun run = growing_run();
  run.lengthen();
  page_.commit(end_);
}

std::span<std::byte> Outbox::large_room(std::size_t size) {
  while (annex_.may_hold(size)) {
    annex_.release(lane_.acknowledged());
    if (std::byte* const place = annex_.place(size)) return {place, size};
    wait_until([&] { return lane_.acknowledged() >= annex_.next_release(); });
  }
  return {};
}

void Outbox::put_large(std::uint64_t task, unsigned attempt, std::span<const std::byte> value) {
  const AnnexPayload where{annex_.offset_of(value.data()), value.size(), annex_checksum(seed_, value)};
  put_copy(FrameKind::value_in_annex, task, attempt, std::as_bytes(std::span(&where, 1)));
  annex_.keep_until(end_);
  unsent_in_annex_ += value.size();
}

BULKHEAD_AT_BIRTH void Outbox::flush() {
  end_run();
  const std::uint64_t from = sent_ % outbox_ring_bytes;
  const std::uint64_t size = end_ - sent_;
  const std::uint64_t first = std::min(size, outbox_ring_bytes - from);
  const std::span<const std::byte> ring(ring_, outbox_ring_bytes);
  if (!os::write_all(pipe_, ring.subspan(from, first), ring.first(size - first))) os::leave_worker(0);
  sent_ = end_;
  unsent_in_annex_ = 0;
}

BULKHEAD_AT_BIRTH void Outbox::make_room(std::uint64_t needed) {
  const std::uint64_t to_end = outbox_ring_bytes - end_ % outbox_ring_bytes;
  // A header more than needed: what is left at the ring's end always holds the filler's own header.
  if (to_end < needed + sizeof(FrameHeader)) {
    wait_until([&] { return end_ + to_end + needed <= acknowledged() + outbox_ring_bytes; });
    occupy(outbox_ring_bytes);
    put(FrameKind::skip, 0, 0, to_end - sizeof(FrameHeader));
  } else {
    wait_until([&] { return end_ + needed <= acknowledged() + outbox_ring_bytes; });
  }
  occupy(end_ % outbox_ring_bytes + needed + sizeof(FrameHeader));
  const std::uint64_t lap = end_ - end_ % outbox_ring_bytes;
  room_end_ = std::min(lap + occupied_ - sizeof(FrameHeader), acknowledged() + outbox_ring_bytes);
}

// Where there is no memory for it the process ends, and its death is told as what it is.
BULKHEAD_AT_BIRTH void Outbox::occupy(std::uint64_t bytes) {
  constexpr std::uint64_t growth = 4, all = worker_page_bytes + outbox_ring_bytes;
  if (bytes <= occupied_) return;
  const std::uint64_t there = worker_page_bytes + occupied_;  // whole pages
  std::uint64_t enough = there;
  while (enough < worker_page_bytes + bytes) enough = std::min(enough * growth, all);
  if (!os::occupy_pages(ring_ + occupied_, enough - there)) {
    page_.note_refusal();
    os::leave_worker(1);
  }
  occupied_ = enough - worker_page_bytes;
}

void Outbox::put_straight(FrameKind kind, std::uint64_t task, unsigned attempt, std::span<const std::byte> payload) {
  page_.set_asleep(Sleep::awake);  // a child of a task's, which has no page, must end before it has written anything
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
