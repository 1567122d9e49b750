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

/// What handle_crashes() has to do but once, for this process and all that are forked from it: the unwinder's names are
/// looked up, which each of those would do anew. Thread-safe.
void prepare_to_handle_crashes() noexcept;

/// Handles the fatal signals of this thread from here on, and so do the processes that are forked from it: these need
/// not do it themselves. Nothing is noted yet, and the process ends as it would have without us. Signals that already
/// have a handler (a sanitizer's, the task's own) are left to it.
void handle_crashes() noexcept;

/// What this process dies of is noted in `record`, with the frames, if it handles crashes. What is forked from it notes
/// nothing. The handler runs on a stack of its own, so that a stack overflow is noted too; it takes no lock and
/// allocates nothing.
void note_crashes_in(CrashRecord& record) noexcept;

}  // namespace bulkhead::os
