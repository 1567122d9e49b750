#include "ipc/inbox.hpp"

#include "os/memory_file.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace bulkhead::ipc {

Inbox::Inbox(Mapping memory, os::Fd pipe, std::uint32_t seed, std::uint64_t max_payload)
    : memory_(std::move(memory)), pipe_(std::move(pipe)), seed_(seed), max_payload_(max_payload) {
  os::set_nonblocking(pipe_);
}

Scratch::~Scratch() {
  os::free_unforked(memory_, bytes);
  if (places_ != nullptr) os::free_unforked(places_, places_bytes_);
}

std::byte* Scratch::place(std::size_t size) {
  constexpr std::size_t at_least = 1u << 20;
  if (placed_ == 0 && size > places_bytes_) {
    const std::size_t larger = std::max(size, at_least);
    auto* const memory = static_cast<std::byte*>(os::allocate_unforked(larger));
    if (places_ != nullptr) os::free_unforked(places_, places_bytes_);
    places_ = memory;
    places_bytes_ = larger;
  }
  if (size > places_bytes_ - placed_) return nullptr;
  std::byte* const place = places_ + placed_;
  placed_ = std::min(places_bytes_, placed_ + frame_stride(size));
  return place;
}

void Inbox::begin_pull(Scratch& scratch) {
  scratch_ = &scratch;
  scratch.clear();
  run_ = {};
  run_is_open_ = false;
}

bool Inbox::pull_from_pipe(Scratch& scratch) {
  begin_pull(scratch);
  if (std::exchange(held_back_, false)) {
    unread_ = scratch.span().first(carry_.size());
    std::copy(carry_.begin(), carry_.end(), scratch.span().begin());
    carry_.clear();
    return true;
  }
  from_ring_ = false;
  if (large_filled_ < large_size_) return pull_large();
  large_.reset();
  large_size_ = large_filled_ = 0;
  const auto into = scratch.span();
  std::copy(carry_.begin(), carry_.end(), into.begin());
  constexpr std::size_t piece = 64u << 10;  // with what is made of it, this stays in the cache until it is delivered
  const std::ptrdiff_t n = read_pipe(into.subspan(carry_.size()).first(piece));
  if (n <= 0) return false;
  const auto got = static_cast<std::size_t>(n);
  const std::uint64_t had = consumed_ + carry_.size();
  pipe_at_ += got;
  unread_ = into.first(carry_.size() + got);
  if (pipe_at_ - got < had) {  // the ring was quicker: part of this, or all, was taken from there
    const std::size_t known = std::min<std::uint64_t>(had - (pipe_at_ - got), got);
    unread_ = into.subspan(known, got - known);  // nothing is carried then
  }
  carry_.clear();
  return true;
}

std::ptrdiff_t Inbox::read_pipe(std::span<std::byte> into) {
  if (pipe_ended_) return 0;
  const std::ptrdiff_t n = os::read_some(pipe_, into);
  pipe_ended_ = n == 0;
  return n;
}

bool Inbox::pull_large() {
  const std::span<std::byte> rest(large_.get() + large_filled_, large_size_ - large_filled_);
  const std::ptrdiff_t n = read_pipe(rest);
  if (n <= 0) return false;
  large_filled_ += static_cast<std::size_t>(n);
  pipe_at_ += static_cast<std::uint64_t>(n);
  if (large_filled_ == large_size_) unread_ = {large_.get(), large_size_};
  return true;
}

bool Inbox::pull_from_ring(Scratch& scratch) {
  begin_pull(scratch);
  const std::uint64_t committed = page().read_committed();
  const std::uint64_t from = page().read_ring_from();
  // A frame that went straight to the pipe is in flight, or the page is not to be believed.
  if (committed <= consumed_ || committed - consumed_ > outbox_ring_bytes || consumed_ < from || pipe_at_ > committed)
    return false;
  if (committed % frame_alignment != 0) return false;
  const std::size_t size = committed - consumed_;
  const std::size_t start = consumed_ % outbox_ring_bytes;
  const std::size_t first = std::min(size, outbox_ring_bytes - start);
  if (!is_there(ring_there_, outbox_ring_offset + (first < size ? outbox_ring_bytes : start + size))) return false;
  const auto into = scratch.span();
  std::copy_n(ring() + start, first, into.begin());
  std::copy_n(ring(), size - first, into.begin() + static_cast<std::ptrdiff_t>(first));
  unread_ = into.first(size);
  from_ring_ = true;
  held_back_ = false;
  carry_.clear();
  large_.reset();
  large_size_ = large_filled_ = 0;
  return true;
}

// An honest worker has occupied what it speaks of. That another has not must not be found out by a SIGBUS.
bool Inbox::is_there(std::size_t& there, std::size_t end) {
  constexpr std::size_t granule = 64u << 10;
  if (end <= there) return true;
  const std::size_t enough = std::min((end + granule - 1) / granule * granule, worker_memory_bytes);
  if (!os::occupy_pages_to_read(memory_.data() + there, enough - there)) return false;
  there = enough;
  return true;
}

// A run that may grow is committed up to its header: how far it goes by now stands in there. All of that was stored
// before, and stays.
ParsedFrame Inbox::parse_open_run() {
  ParsedFrame frame;
  const std::size_t at = consumed_ % outbox_ring_bytes;
  std::memcpy(&frame.header, unread_.data(), sizeof frame.header);
  const std::uint64_t word = WorkerPage::read_word(ring() + at);
  std::memcpy(&frame.header, &word, sizeof word);
  const std::uint64_t stride = frame_stride(frame.header.size);
  frame.check = FrameCheck::bad;
  if (!plausible(frame.header, max_payload_) || stride > outbox_ring_bytes - at) return frame;
  if (!is_there(ring_there_, outbox_ring_offset + at + stride)) return frame;
  const auto into = scratch_->span().subspan(static_cast<std::size_t>(unread_.data() - scratch_->span().data()));
  std::memcpy(into.data(), &frame.header, sizeof frame.header);
  std::copy_n(ring() + at + sizeof frame.header, frame.header.size, into.begin() + sizeof frame.header);
  unread_ = into.first(stride);
  run_is_open_ = true;
  return parse_frame(unread_, seed_, max_payload_);
}

// False: it is shorter than it was.
bool Inbox::begin_run(const ParsedFrame& frame) {
  const std::uint32_t each = frame.header.attempt, stride = static_cast<std::uint32_t>(value_stride(each));
  if (frame.header.size < known_of_run_) return false;
  run_ = {frame.payload.data(), each, frame.header.size / stride, frame.header.task};
  run_.drop(std::exchange(known_of_run_, 0) / stride);
  if (std::exchange(run_is_open_, false)) {
    known_of_run_ = frame.header.size;
    unread_ = {};
  } else {
    consume(frame);
  }
  return true;
}

// Behind the head of a run that was seen growing there is only what it has grown by since.
bool Inbox::ring_is_ahead() const noexcept {
  const std::uint64_t committed = page().read_committed();
  if (known_of_run_ == 0 || committed != consumed_ + sizeof(FrameHeader)) return committed != consumed_;
  return size_counted_by(WorkerPage::read_word(ring() + consumed_ % outbox_ring_bytes)) != known_of_run_;
}

ParsedFrame Inbox::next_of_run() {
  ParsedFrame frame;
  frame.check = FrameCheck::whole;
  frame.header = {0, run_.each, run_.task, 1, FrameKind::value, frame_magic};
  frame.payload = {run_.values, run_.each};
  run_.drop(1);
  return frame;
}

// What the frame says of the annex is believed as little as all else. The bytes are copied before they are checked: the
// worker may still write there.
bool Inbox::fetch(ParsedFrame& frame) {
  AnnexPayload where{};
  frame.check = FrameCheck::bad;
  if (frame.payload.size() != sizeof where) return false;
  std::memcpy(&where, frame.payload.data(), sizeof where);
  const bool fits = where.size <= annex_bytes && where.offset <= annex_bytes - where.size;
  if (!fits || where.size == 0 || where.size > max_payload_) return false;
  if (!is_there(annex_there_, where.offset + where.size)) return false;
  std::byte* const place = scratch_->place(where.size);
  if (place == nullptr) {
    hold_back();
    frame.check = FrameCheck::incomplete;
    return false;
  }
  std::copy_n(memory_.data() + where.offset, where.size, place);
  frame.payload = {place, where.size};
  if (annex_checksum(seed_, frame.payload) != where.checksum) return false;
  frame.header.kind = FrameKind::value;
  frame.check = FrameCheck::whole;
  return true;
}

void Inbox::hold_back() {
  held_back_ = true;
  carry_.assign(unread_.begin(), unread_.end());
  unread_ = {};
}

FrameCheck Inbox::end_of_what_is_there() {
  if (unread_.empty()) return FrameCheck::incomplete;
  if (from_ring_) return FrameCheck::bad;
  keep_rest();
  return FrameCheck::incomplete;
}

void Inbox::keep_rest() {
  if (large_filled_ < large_size_) return;
  FrameHeader header{};
  if (unread_.size() >= sizeof header) {
    std::memcpy(&header, unread_.data(), sizeof header);
    if (header.size > max_ring_payload) return begin_large(header);
  }
  carry_.assign(unread_.begin(), unread_.end());
  unread_ = {};
}

void Inbox::begin_large(const FrameHeader& header) {
  large_size_ = frame_stride(header.size);
  large_ = std::make_unique_for_overwrite<std::byte[]>(large_size_);  // untouched: memory grows only as bytes arrive
  std::copy(unread_.begin(), unread_.end(), large_.get());
  large_filled_ = unread_.size();
  unread_ = {};
}

}  // namespace bulkhead::ipc
