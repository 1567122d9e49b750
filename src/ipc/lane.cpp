#include "ipc/lane.hpp"

#include "os/futex.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace bulkhead::ipc {

LaneWriter::LaneWriter(std::byte* lane) noexcept
    : header_(::new (static_cast<void*>(lane)) LaneHeader{}), ring_(lane + lane_header_bytes) {}

bool LaneWriter::make_room() noexcept {
  constexpr std::size_t needed = sizeof(Row) + max_inlined;
  const std::uint64_t to_end = lane_ring_bytes - tail_ % lane_ring_bytes;
  // One header more than needed: what is left at the end always holds the filler's own header.
  if (to_end < needed + sizeof(Row)) {
    if (lane_ring_bytes - (tail_ - head_) < to_end + needed) return false;
    append_filler(to_end);
  }
  const std::uint64_t lap_end = tail_ + lane_ring_bytes - tail_ % lane_ring_bytes - sizeof(Row);
  room_end_ = std::min(lap_end, head_ + lane_ring_bytes);
  return room_end_ - tail_ >= needed;
}

void LaneWriter::append_filler(std::uint64_t size) noexcept {
  const bool was_empty = empty();
  append(0, 0, RowForm::filler, size, 0);
  if (was_empty) head_ = tail_;
}

void LaneWriter::put(std::uint64_t task, unsigned attempt, const ArenaPlace& place) noexcept {
  std::memcpy(room(), &place, sizeof place);
  append(task, attempt, RowForm::in_arena, place.size, 1);
}

void LaneWriter::publish() noexcept {
  header_->tail.store(tail_, std::memory_order_release);
  published_ = tail_;
}

void LaneWriter::ring_bell() noexcept {
  header_->bell.fetch_add(1, std::memory_order_seq_cst);
  os::futex_wake(reinterpret_cast<const std::uint32_t*>(&header_->bell));
}

void LaneWriter::request_stop() noexcept {
  header_->stop.store(1, std::memory_order_seq_cst);
  ring_bell();
}

void LaneWriter::admit(std::uint32_t seed) noexcept {
  header_->admitted.store(seed, std::memory_order_seq_cst);
  ring_bell();
}

void LaneReader::sleep(std::uint32_t heard) const noexcept {
  using namespace std::chrono_literals;
  os::futex_wait(reinterpret_cast<const std::uint32_t*>(&header_->bell), heard, 500ms);
}

void LaneWriter::acknowledge(std::uint64_t offset) noexcept {
  header_->acknowledged.store(offset, std::memory_order_release);
}

}  // namespace bulkhead::ipc
