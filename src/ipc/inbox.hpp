// The coordinator's end of one worker's outbox: the same stream of frames, by the pipe as a rule, from the ring where
// the pipe does not carry it (a worker that died, or that has long not written its batch).
#pragma once

#include "ipc/frame.hpp"
#include "ipc/mapping.hpp"
#include "ipc/worker_page.hpp"
#include "os/caller_memory.hpp"
#include "os/fd.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace bulkhead::ipc {

/// Memory that frames are read into; shared by all inboxes of one coordinator. Payloads refer into it until it is used
/// again.
class Scratch {
 public:
  static constexpr std::size_t bytes = outbox_ring_bytes + 2 * frame_stride(max_ring_payload);
  Scratch() = default;
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::span<std::byte> span() const noexcept { return {memory_, bytes}; }

  /// Place for what is fetched from an annex, not nought; null: what was fetched before must be used first.
  std::byte* place(std::size_t size);
  /// All has been used.
  void clear() noexcept { placed_ = 0; }

 private:
  std::byte* memory_ = static_cast<std::byte*>(os::allocate_unforked(bytes));
  std::byte* places_ = nullptr;  // as large as the largest so far
  std::size_t places_bytes_ = 0, placed_ = 0;
};

/// Values of one size, of consecutive tasks.
struct ValueRun {
  const std::byte* values = nullptr;
  std::uint32_t each = 0;   // bytes
  std::uint32_t count = 0;  // of values
  std::uint32_t task = 0;   // the low half of the first one's index

  void drop(std::uint32_t taken) noexcept {
    values += taken * value_stride(each);
    task += taken;
    count -= taken;
  }
};

class Inbox {
 public:
  /// `memory` is the worker's, mapped read-only. `pipe` is made non-blocking.
  Inbox(Mapping memory, os::Fd pipe, std::uint32_t seed, std::uint64_t max_payload);

  /// Reads once from the pipe. False: it holds nothing now. Then take frames with next() until it has none.
  bool pull_from_pipe(Scratch& scratch);
  /// Nothing will ever come by the pipe again. A sign of nothing else: the ring may still fill.
  bool pipe_ended() const noexcept { return pipe_ended_; }
  /// Copies what the ring holds beyond the last frame that was taken. False: nothing, or the ring cannot be right.
  bool pull_from_ring(Scratch& scratch);
  /// Frames wait for what was pulled with them to be used: the next pull, from the pipe, is of these.
  bool holds_back() const noexcept { return held_back_; }
  /// The next frame: whole or bad, or incomplete: no more for now. A value in the annex is like any other, and so is
  /// each of a run.
  ParsedFrame next() {
    if (run_.count != 0) return next_of_run();
    ParsedFrame frame = parse();  // never copied: see add_value() in settling.cpp
    if (frame.check != FrameCheck::whole) {
      if (frame.check == FrameCheck::incomplete) frame.check = end_of_what_is_there();
      return frame;
    }
    if (frame.header.kind == FrameKind::values) {
      if (begin_run(frame)) return next();
      frame.check = FrameCheck::bad;
      return frame;
    }
    if (frame.header.kind == FrameKind::value_in_annex && !fetch(frame)) return frame;
    consume(frame);
    return frame;
  }

  /// The values of a run, where that is what comes next: take as many of them as you like by dropping them from its
  /// front. Otherwise it is empty.
  ValueRun& next_run() {
    if (run_.count == 0 && begins_run(unread_))
      if (const ParsedFrame frame = parse(); frame.check == FrameCheck::whole) begin_run(frame);
    return run_;
  }

  /// Takes frames as long as they are whole, and no run, and `take` says that it took them.
  template <class Take>
  void take_while(Take&& take) {
    if (run_.count != 0) return;
    std::span<const std::byte> rest = unread_;
    while (!begins_run(rest)) {
      const ParsedFrame frame = parse_frame(rest, seed_, max_payload_);
      if (frame.check != FrameCheck::whole || !take(frame)) break;
      rest = rest.subspan(frame_stride(frame.header.size));
    }
    consumed_ += unread_.size() - rest.size();
    unread_ = rest;
  }

  /// Whole frames wait in the ring that have not been taken.
  bool ring_is_ahead() const noexcept;
  /// What the worker has in hand, by its own word; nothing if that is not to be believed.
  std::optional<Cursor> cursor() const noexcept { return page().read_cursor(seed_); }
  bool was_refused_memory(std::uint64_t record) const noexcept { return page().was_refused(record, seed_); }
  std::uint64_t consumed() const noexcept { return consumed_; }
  const WorkerPage& page() const noexcept { return worker_page_of(memory_.data()); }
  const os::Fd& pipe() const noexcept { return pipe_; }

 private:
  void begin_pull(Scratch& scratch);
  std::ptrdiff_t read_pipe(std::span<std::byte> into);
  bool pull_large();
  bool is_there(std::size_t& there, std::size_t end);
  const std::byte* ring() const noexcept { return memory_.data() + outbox_ring_offset; }
  ParsedFrame parse() {
    const bool may_grow = from_ring_ && unread_.size() == sizeof(FrameHeader) && begins_run(unread_);
    return may_grow ? parse_open_run() : parse_frame(unread_, seed_, max_payload_);
  }
  void consume(const ParsedFrame& frame) noexcept {
    const std::uint64_t stride = frame_stride(frame.header.size);
    consumed_ += stride;
    unread_ = unread_.subspan(stride);
  }
  ParsedFrame parse_open_run();
  bool begin_run(const ParsedFrame& frame);
  ParsedFrame next_of_run();
  bool fetch(ParsedFrame& frame);
  void hold_back();
  FrameCheck end_of_what_is_there();
  void keep_rest();
  void begin_large(const FrameHeader& header);

  Mapping memory_;
  os::Fd pipe_;
  // Of the memory, page and ring from their beginning up to here, and the annex: to look there costs no page.
  std::size_t ring_there_ = worker_page_offset + worker_bytes_at_birth, annex_there_ = 0;
  bool pipe_ended_ = false;
  std::uint32_t seed_;
  std::uint64_t max_payload_;
  std::uint64_t consumed_ = 0;           // stream offset behind the last frame taken
  std::uint64_t pipe_at_ = 0;            // stream offset of the pipe's next byte
  std::span<const std::byte> unread_{};  // pulled, from consumed_ on
  bool from_ring_ = false;               // unread_ is: then it must end with a whole frame, or the head of a run
  ValueRun run_{};                       // what is left of the run that begins what was consumed last
  bool run_is_open_ = false;             // the next run may still grow: it is not consumed yet
  std::uint32_t known_of_run_ = 0;       // bytes of the run at consumed_ that were taken while it was open
  Scratch* scratch_ = nullptr;           // of the last pull
  bool held_back_ = false;               // carry_ begins with whole frames
  std::vector<std::byte> carry_;         // the beginning of a frame whose rest is still in the pipe
  std::unique_ptr<std::byte[]> large_;   // the same, for a frame too large for the scratch
  std::size_t large_size_ = 0, large_filled_ = 0;
};

}  // namespace bulkhead::ipc
