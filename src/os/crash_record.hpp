// What a dying process notes about itself: raw addresses only, in memory that outlives it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bulkhead::os {

/// Plain words, written by a signal handler and read by another process, which believes none of them unchecked.
struct CrashRecord {
  static constexpr std::size_t max_frames = 48;
  std::uint64_t signal = 0;   // 0: nothing was noted
  std::uint64_t address = 0;  // the fault's, where the signal has one
  std::uint64_t count = 0;
  std::uint64_t frames[max_frames] = {};  // innermost first
};

/// Does once what the first unwinding of a process has to: what is forked from here on need not.
void prepare_to_note_crashes() noexcept;

/// From here on a fatal signal of this thread's notes its frames in `record` before it ends the process as it would
/// have without us. Signals that already have a handler (a sanitizer's, the task's own) are left to it. The handler
/// runs on a stack of its own, so that a stack overflow is noted too; it takes no lock and allocates nothing.
void note_crashes_in(CrashRecord& record) noexcept;

}  // namespace bulkhead::os
