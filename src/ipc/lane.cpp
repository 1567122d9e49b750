#include "ipc/lane.hpp"

#include "os/at_birth.hpp"
#include "os/futex.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace bulkhead::ipc {

namespace {

constexpr std::size_t largest_row = sizeof(Row) + max_inlined;

// Else an empty lane could have no room: a filler to the end of the lap and a row behind it go into one lap together.
static_assert(ring_bytes_at_first >= 2 * largest_row + sizeof(Row));
// And one of which half is free: what is not stands behind where that row would end.
static_assert(ring_step >= 4 * largest_row + 2 * sizeof(Row));

}  // namespace

LaneWriter::LaneWriter(std::byte* lane, std::size_t occupied, Occupy occupy) noexcept
    : header_(::new (static_cast<void*>(lane)) LaneHeader{}),
      ring_(lane + lane_header_bytes),
      occupied_(occupied),
      occupy_(std::move(occupy)) {}

// One header more than a row: what is left at the end always holds the filler's own header.
bool LaneWriter::fits_in_lap() const noexcept {
  return tail_ % lane_ring_bytes + largest_row + sizeof(Row) <= occupied_;
}

bool LaneWriter::make_room() noexcept {
  // Only as long as it must be: what goes round in little memory stays in the cache, also that of many workers.
  const bool is_enough = (tail_ - head_) * 2 <= occupied_ && occupied_ >= ring_step;
  if (!fits_in_lap() && !is_enough && occupied_ < lane_ring_bytes && tail_ >= grows_from_) {
    const std::size_t more = occupy_(occupied_ / ring_step * ring_step + ring_step);
    if (more == occupied_) grows_from_ = tail_ + lane_ring_bytes;  // asked for again a lap later
    occupied_ = more;
  }
  if (!fits_in_lap()) {  // also where there is no more memory: then a lap is shorter
    const std::uint64_t to_end = lane_ring_bytes - tail_ % lane_ring_bytes;
    if (lane_ring_bytes - (tail_ - passed_) < to_end + largest_row) return false;
    append_filler(to_end);
  }
  const std::uint64_t lap_end = tail_ - tail_ % lane_ring_bytes + occupied_ - sizeof(Row);
  room_end_ = std::min(lap_end, passed_ + lane_ring_bytes);
  return room_end_ - tail_ >= largest_row;
}

void LaneWriter::append_filler(std::uint64_t size) noexcept {
  const bool was_empty = empty();
  append(0, 0, RowForm::filler, size, 0);
  if (was_empty) head_ = tail_;
}

void LaneWriter::put(std::uint64_t task, unsigned attempt, const ArenaPlace& place) noexcept {
  std::memcpy(room(), &place, sizeof place);
  append(task, attempt, RowForm::in_arena, place.size, 1);
  ++large_.count;
  large_.bytes += place.size;
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

void LaneWriter::admit(std::uint32_t seed, std::uint32_t slot) noexcept {
  header_->slot = slot;
  header_->admitted.store(seed, std::memory_order_seq_cst);
  ring_bell();
}

BULKHEAD_AT_BIRTH void LaneReader::sleep(std::uint32_t heard) const noexcept {
  using namespace std::chrono_literals;
  os::futex_wait(reinterpret_cast<const std::uint32_t*>(&header_->bell), heard, 500ms);
}

void LaneWriter::acknowledge(std::uint64_t offset) noexcept {
  header_->acknowledged.store(offset, std::memory_order_release);
}

}  // namespace bulkhead::ipc
