// One life of a worker's outbox as the coordinator's inbox sees it, directed by a fuzzer's bytes.
//
// The worker may be honest: then every frame that it committed must arrive once, whole and in order, however the pipe
// and the ring take turns. It may also write anything anywhere; then nothing is asked but that the inbox stays within
// its memory and moves on by whole frames only.
#pragma once

#include "fuzz/script.hpp"
#include "ipc/frame.hpp"
#include "ipc/inbox.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fuzz {

namespace ipc = bulkhead::ipc;
namespace os = bulkhead::os;

inline constexpr std::uint32_t seed = 0x5eed5eed;
inline constexpr std::uint64_t max_payload = 512u << 10;

/// The worker's side, without a worker: what Outbox does, byte for byte, and what it never would.
class WorkerEnd {
 public:
  WorkerEnd(const os::MemoryFile& file, os::Fd pipe)
      : memory_(file, ipc::Access::read_write, 0, file.size()), pipe_(std::move(pipe)) {
    os::set_nonblocking(pipe_);
  }

  bool honest() const noexcept { return honest_; }
  std::uint64_t end() const noexcept { return stream_.size(); }
  std::uint64_t committed() { return page().read_committed(); }
  ipc::FrameHeader header_at(std::uint64_t offset) const {
    ipc::FrameHeader header{};
    if (offset + sizeof header <= end()) std::memcpy(&header, stream_.data() + offset, sizeof header);
    return header;
  }
  /// The payload of the frame at `offset`, wherever it lies.
  std::span<const std::byte> sent_at(std::uint64_t offset) const {
    const ipc::FrameHeader header = header_at(offset);
    const auto payload = std::span(stream_).subspan(offset + sizeof header, header.size);
    if (header.kind != ipc::FrameKind::value_in_annex) return payload;
    ipc::AnnexPayload where{};
    std::memcpy(&where, payload.data(), sizeof where);
    return {memory_.data() + where.offset, where.size};
  }

  void put_frame(ipc::FrameKind kind, std::size_t size, std::uint8_t fill, std::uint64_t consumed);
  /// A value behind all others in the annex, and its frame.
  void put_in_annex(std::size_t size, std::uint8_t fill, std::uint64_t consumed);
  bool may_grow(std::uint64_t offset) const noexcept { return run_at_ == offset; }
  void end_run() {
    if (std::exchange(run_at_, std::nullopt) && honest_) page().commit(end());
  }
  /// One more value for the run that stands last, or the first of another.
  void put_in_run(std::size_t each, std::uint8_t fill, std::uint64_t consumed);
  /// Bytes of the script's choice on the stream, as they are.
  void put_raw(std::span<const std::byte> bytes) {
    if (in_flight()) return;
    end_run();
    honest_ = honest_ && bytes.empty();
    stream_.insert(stream_.end(), bytes.begin(), bytes.end());
  }
  void write_to_pipe(std::size_t most);
  void scribble(std::size_t at, std::span<const std::byte> bytes) {
    honest_ = honest_ && bytes.empty();
    std::copy_n(bytes.begin(), std::min(bytes.size(), ipc::worker_memory_bytes - at), memory_.data() + at);
  }
  void lie(std::uint64_t committed, std::uint64_t ring_from) {
    honest_ = false;
    page().commit(committed);
    page().ring_from.store(ring_from);
  }

 private:
  void put(ipc::FrameKind kind, std::span<const std::byte> payload, std::uint64_t consumed);
  ipc::WorkerPage& page() { return ipc::worker_page_of(memory_.data()); }
  /// A frame that stands in no ring is committed when the pipe has had all of it; until then nothing may follow.
  bool in_flight() const noexcept { return straight_to_ > sent_; }
  void copy_to_ring(std::uint64_t from);

  ipc::Mapping memory_;
  os::Fd pipe_;
  std::vector<std::byte> stream_;
  std::size_t sent_ = 0, straight_to_ = 0, annexed_ = 0;
  std::optional<std::uint64_t> run_at_;  // the run that may grow
  bool honest_ = true;
};

inline void WorkerEnd::put_frame(ipc::FrameKind kind, std::size_t size, std::uint8_t fill, std::uint64_t consumed) {
  const std::vector<std::byte> payload(size, std::byte{fill});
  put(kind, payload, consumed);
}

inline void WorkerEnd::put_in_annex(std::size_t size, std::uint8_t fill, std::uint64_t consumed) {
  constexpr std::size_t enough = 8u << 20;
  if (annexed_ + size > enough) return;
  std::byte* const place = memory_.data() + annexed_;
  std::fill_n(place, size, std::byte{fill});
  const ipc::AnnexPayload where{annexed_, size, ipc::annex_checksum(seed, {place, size})};
  annexed_ += size;
  put(ipc::FrameKind::value_in_annex, std::as_bytes(std::span(&where, 1)), consumed);
}

inline void WorkerEnd::put(ipc::FrameKind kind, std::span<const std::byte> payload, std::uint64_t consumed) {
  const std::size_t size = payload.size();
  const bool straight = size > ipc::max_ring_payload;
  const std::uint64_t start = end(), stride = ipc::frame_stride(size);
  if (in_flight() || (straight && sent_ != start)) return;
  end_run();
  if (!straight && start + stride > std::max<std::uint64_t>(consumed, straight_to_) + ipc::outbox_ring_bytes) return;
  stream_.resize(start + stride);
  const auto frame = std::span(stream_).subspan(start);
  std::copy(payload.begin(), payload.end(), frame.begin() + sizeof(ipc::FrameHeader));
  ipc::FrameHeader header{0, static_cast<std::uint32_t>(size), 7, 1, kind, ipc::frame_magic};
  header.checksum = ipc::frame_checksum(header, seed, frame.subspan(sizeof header, size));
  std::memcpy(frame.data(), &header, sizeof header);
  if (straight) {
    straight_to_ = end();
    return;
  }
  copy_to_ring(start);
  if (honest_) page().commit(end());
}

inline void WorkerEnd::copy_to_ring(std::uint64_t from) {
  const auto frame = std::span(stream_).subspan(from);
  std::byte* const ring = memory_.data() + ipc::outbox_ring_offset;
  const std::size_t at = from % ipc::outbox_ring_bytes;
  const std::size_t first = std::min<std::size_t>(frame.size(), ipc::outbox_ring_bytes - at);
  std::copy_n(frame.begin(), first, ring + at);
  std::copy(frame.begin() + static_cast<std::ptrdiff_t>(first), frame.end(), ring);
}

inline void WorkerEnd::put_in_run(std::size_t each, std::uint8_t fill, std::uint64_t consumed) {
  const std::size_t stride = ipc::value_stride(each);
  const std::uint64_t free_to = std::max<std::uint64_t>(consumed, straight_to_) + ipc::outbox_ring_bytes;
  const std::uint64_t whole = ipc::frame_stride(ipc::max_run_payload);
  if (in_flight() || end() + stride + sizeof(ipc::FrameHeader) > free_to) return;
  ipc::FrameHeader header = run_at_ ? header_at(*run_at_) : ipc::FrameHeader{};
  if (!run_at_ || header.attempt != each || header.size + stride > ipc::max_run_payload) {
    end_run();
    if (end() % ipc::outbox_ring_bytes + whole > ipc::outbox_ring_bytes) return;  // it never wraps
    header = {0, 0, 7, static_cast<std::uint16_t>(each), ipc::FrameKind::values, ipc::frame_magic};
    run_at_ = end();
    stream_.resize(end() + sizeof header);
  }
  const std::uint64_t value = end();
  stream_.resize(value + stride);
  std::fill_n(stream_.begin() + static_cast<std::ptrdiff_t>(value), each, std::byte{fill});
  header.size += static_cast<std::uint32_t>(stride);
  const auto values = std::span(stream_).subspan(*run_at_ + sizeof header, header.size);
  header.checksum = ipc::frame_checksum(header, seed, values);
  std::memcpy(stream_.data() + *run_at_, &header, sizeof header);
  copy_to_ring(*run_at_);
  if (honest_) page().commit(*run_at_ + sizeof header);
}

inline void WorkerEnd::write_to_pipe(std::size_t most) {
  end_run();
  const std::size_t size = std::min(most, stream_.size() - sent_);
  const auto n = ::write(pipe_.get(), stream_.data() + sent_, size);  // a full pipe takes none
  if (n <= 0) return;
  sent_ += static_cast<std::size_t>(n);
  if (!honest_ || straight_to_ != end() || sent_ != end()) return;
  page().ring_from.store(end());
  page().commit(end());
}

/// The coordinator's side: takes frames as it does, and holds each against the stream that was written.
class CoordinatorEnd {
 public:
  CoordinatorEnd(const os::MemoryFile& file, os::Fd pipe)
      : inbox_(ipc::Mapping(file, ipc::Access::read_only, 0, file.size()), std::move(pipe), seed, max_payload) {}

  std::uint64_t consumed() const noexcept { return inbox_.consumed(); }
  bool pull_pipe(const WorkerEnd& worker) {
    if (suspect_ || !inbox_.pull_from_pipe(scratch())) return false;
    take_frames(worker);
    return true;
  }
  bool pull_ring(const WorkerEnd& worker) {
    if (!inbox_.pull_from_ring(scratch())) return false;
    take_frames(worker);
    return true;
  }
  /// What a burial does: the pipe to its end, then the ring.
  void see_to_its_end(WorkerEnd& worker) {
    while (pull_pipe(worker)) {
    }
    pull_ring(worker);
    while (inbox_.holds_back() && pull_pipe(worker)) {
    }
    if (!worker.honest()) return;
    worker.end_run();  // it is dead: nothing grows any more
    step_over_taken_runs(worker);
    require(at_ >= worker.committed(), "what an honest worker committed is never lost");
  }

 private:
  static ipc::Scratch& scratch() {
    static ipc::Scratch shared;
    return shared;
  }
  void take_frames(const WorkerEnd& worker);
  void compare(const ipc::ParsedFrame& frame, const WorkerEnd& worker);
  void step_over_taken_runs(const WorkerEnd& worker) {
    for (ipc::FrameHeader head = worker.header_at(at_);
         !worker.may_grow(at_) && head.kind == ipc::FrameKind::values && taken_of_run_ != 0 &&
         taken_of_run_ * ipc::value_stride(head.attempt) == head.size;
         head = worker.header_at(at_)) {
      at_ += ipc::frame_stride(head.size);
      taken_of_run_ = 0;
    }
  }

  ipc::Inbox inbox_;
  std::uint64_t at_ = 0;          // what is to come next stands there in the stream,
  std::size_t taken_of_run_ = 0;  // behind so many values
  bool suspect_ = false;          // after a bad frame the pipe is not asked again
};

inline void CoordinatorEnd::take_frames(const WorkerEnd& worker) {
  for (;;) {
    const std::uint64_t before = consumed();
    const ipc::ParsedFrame frame = inbox_.next();
    if (frame.check != ipc::FrameCheck::whole) {
      require(consumed() >= before, "the inbox moves on");
      if (worker.honest()) {  // over a run, too, of which all was known
        step_over_taken_runs(worker);
        require(consumed() == before || consumed() == at_, "only a whole frame moves the inbox on");
      }
      suspect_ |= frame.check == ipc::FrameCheck::bad;
      require(!suspect_ || !worker.honest(), "an honest worker's frames are never bad");
      return;
    }
    require(consumed() >= before, "the inbox moves on");
    require(frame.payload.size() <= max_payload && frame.header.size <= max_payload,
            "no payload is larger than allowed");
    static_cast<void>(ipc::decode_failure(frame.payload));
    if (worker.honest()) compare(frame, worker);
  }
}

inline void CoordinatorEnd::compare(const ipc::ParsedFrame& frame, const WorkerEnd& worker) {
  step_over_taken_runs(worker);
  require(consumed() <= worker.end() && at_ < worker.end(), "no frame comes from beyond the stream");
  const ipc::FrameHeader head = worker.header_at(at_);
  auto sent = worker.sent_at(at_);
  if (head.kind == ipc::FrameKind::values) {
    sent = sent.subspan(taken_of_run_++ * ipc::value_stride(head.attempt), head.attempt);
  } else {
    at_ += ipc::frame_stride(head.size);
    require(consumed() == at_, "a frame moves the inbox on by its stride");
  }
  require(sent.size() == frame.payload.size(), "a payload has its size");
  require(std::equal(sent.begin(), sent.end(), frame.payload.begin()), "a payload arrives as it was sent");
}

inline void take_step(Script& script, WorkerEnd& worker, CoordinatorEnd& coordinator) {
  switch (script.number<std::uint8_t>() % 8) {
    case 0:
      return worker.put_raw(script.stretch(script.number<std::uint8_t>()));
    case 1:
    case 2: {  // mostly frames for the ring, now and then one that goes straight to the pipe
      const unsigned kind = 1 + script.number<std::uint8_t>() % static_cast<unsigned>(ipc::FrameKind::last);
      const bool annex = kind == static_cast<unsigned>(ipc::FrameKind::value_in_annex);
      const std::size_t low = script.number<std::uint8_t>(), high = script.number<std::uint8_t>();
      const std::size_t size = low + high * (high > 0xf0 ? 1024 : 128);
      const std::uint8_t fill = script.number<std::uint8_t>();
      if (kind == static_cast<unsigned>(ipc::FrameKind::values))
        return worker.put_in_run(low + (high & 0xf) * 256, fill, coordinator.consumed());
      if (annex) return worker.put_in_annex(size + 1, fill, coordinator.consumed());
      return worker.put_frame(static_cast<ipc::FrameKind>(kind), size, fill, coordinator.consumed());
    }
    case 3:
      return worker.write_to_pipe(script.number<std::uint16_t>());
    case 4:
      coordinator.pull_pipe(worker);
      return;
    case 5:
      coordinator.pull_ring(worker);
      return;
    case 6: {
      constexpr std::size_t behind_annex = ipc::worker_memory_bytes - ipc::annex_bytes, of_annex = 1u << 20;
      const std::size_t at = script.number<std::uint32_t>() % (behind_annex + of_annex);
      return worker.scribble(at < behind_annex ? ipc::annex_bytes + at : at - behind_annex,
                             script.stretch(script.number<std::uint8_t>()));
    }
    case 7: {  // near the truth, where the checks are, or anywhere
      const std::uint64_t base = script.number<std::uint8_t>() % 2 == 0 ? worker.end() : script.number<std::uint64_t>();
      const auto committed = script.number<std::int16_t>(), from = script.number<std::int16_t>();
      return worker.lie(base + static_cast<std::uint64_t>(committed), base + static_cast<std::uint64_t>(from));
    }
  }
}

inline void live_and_die(Script script) {
  const os::MemoryFile file("fuzz-worker", ipc::worker_memory_bytes);
  os::Pipe pipe = os::make_pipe(64u << 10);
  WorkerEnd worker(file, std::move(pipe.write_end));
  CoordinatorEnd coordinator(file, std::move(pipe.read_end));
  while (!script.done()) take_step(script, worker, coordinator);
  coordinator.see_to_its_end(worker);
}

/// The reader alone, on bytes of their exact size: a sanitizer sees a read beyond them.
inline void parse_and_decode(std::span<const std::byte> bytes) {
  const ipc::ParsedFrame frame = ipc::parse_frame(bytes, seed, max_payload);
  if (frame.check == ipc::FrameCheck::whole)
    require(ipc::frame_stride(frame.payload.size()) <= bytes.size(), "a whole frame lies within its bytes");
  if (const auto failure = ipc::decode_failure(bytes)) {
    const std::string again = ipc::encode_failure(*failure);
    const auto twice = ipc::decode_failure(std::as_bytes(std::span(again)));
    require(twice && twice->ending == failure->ending && twice->type == failure->type && twice->what == failure->what,
            "a failure that was read can be written and read again");
  }
}

inline void read_frames(std::span<const std::uint8_t> input) {
  Script script(input);
  if (script.number<std::uint8_t>() % 4 == 0) return parse_and_decode(script.rest());
  live_and_die(script);
}

}  // namespace fuzz
