#include "ipc/lane.hpp"

#include "os/futex.hpp"

#include <cstring>
#include <new>

namespace bulkhead::ipc {

LaneWriter::LaneWriter(std::byte* lane) noexcept
    : header_(::new(static_cast<void*>(lane)) LaneHeader{}), ring_(lane + lane_header_bytes) {}

std::span<std::byte> LaneWriter::room() noexcept {
  constexpr std::size_t needed = sizeof(Record) + max_inlined;
  const std::uint64_t free = lane_ring_bytes - (tail_ - head_);
  const std::uint64_t to_end = lane_ring_bytes - tail_ % lane_ring_bytes;
  // One header more than needed: what is left at the end always holds the filler's own header.
  if (to_end < needed + sizeof(Record)) {
    if (free < to_end + needed) return {};
    append_filler(to_end);
  } else if (free < needed) {
    return {};
  }
  return {reinterpret_cast<std::byte*>(at(tail_)) + sizeof(Record), max_inlined};
}

void LaneWriter::append_filler(std::uint64_t size) noexcept {
  const bool was_empty = head_ == tail_;
  append(0, 0, RecordForm::filler, size);
  if (was_empty) head_ = tail_;
}

void LaneWriter::append(std::uint64_t task, unsigned attempt, RecordForm form, std::size_t size) noexcept {
  Record* record = at(tail_);
  record->task = task;
  record->size = static_cast<std::uint32_t>(size);
  record->attempt = static_cast<std::uint16_t>(attempt);
  record->form = form;
  record->taken_back.store(0, std::memory_order_relaxed);
  tail_ += record_stride(form, record->size);
}

void LaneWriter::put(std::uint64_t task, unsigned attempt, std::size_t size) noexcept {
  append(task, attempt, RecordForm::inlined, size);
}

void LaneWriter::put(std::uint64_t task, unsigned attempt, const ArenaPlace& place) noexcept {
  std::memcpy(static_cast<void*>(at(tail_) + 1), &place, sizeof place);
  append(task, attempt, RecordForm::in_arena, place.size);
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

void LaneReader::sleep(std::uint32_t heard) const noexcept {
  using namespace std::chrono_literals;
  os::futex_wait(reinterpret_cast<const std::uint32_t*>(&header_->bell), heard, 500ms);
}

void LaneWriter::acknowledge(std::uint64_t offset) noexcept {
  header_->acknowledged.store(offset, std::memory_order_release);
}

void LaneWriter::pop() noexcept {
  head_ += record_stride(*at(head_));
  if (head_ != tail_ && at(head_)->form == RecordForm::filler) head_ += at(head_)->size;
}

}  // namespace bulkhead::ipc
