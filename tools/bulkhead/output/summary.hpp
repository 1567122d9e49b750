// The books of a run and its closing words.
#pragma once

#include "rules/attempt.hpp"
#include "rules/settings.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace bulkhead::tool {

/// Counts tasks, each once, by how it ended. Keeps the first failures in full, so that memory stays bounded.
struct Tally {
  static constexpr std::size_t most_notes = 100;
  struct Note {
    std::uint64_t sequence = 0;
    unsigned attempts = 1;
    std::string record{}, words{}, error_tail{};
    std::string command{};    ///< that runs it again, where `bulkhead replay` is not the way
    std::string stack{};      ///< of a crash that has one; crashes with the same are one note
    std::uint64_t count = 1;  ///< tasks that this note stands for
  };

  std::uint64_t ok = 0, failed = 0, crashed = 0, timed_out = 0, out_of_memory = 0, left_over = 0;
  std::uint64_t skipped = 0;  ///< done in an earlier run
  std::uint64_t retried = 0;  ///< attempts that were not their task's last
  std::uint64_t leaked = 0;   ///< tasks that left processes running
  std::vector<Note> notes{};

  void add(const Attempt& attempt);
  std::uint64_t noted() const noexcept;  ///< failures that the notes stand for
  std::uint64_t unsuccessful() const noexcept { return failed + crashed + timed_out + out_of_memory; }
  std::uint64_t finished() const noexcept { return ok + unsuccessful(); }
};

/// One line of counts, then every failure that was kept, and how to run one of them again from `joblog` (empty: there
/// is none). `unread`: there may be records that were never read. `program`: in whose name.
std::string summarize(const Tally& tally, std::chrono::nanoseconds wall, bool unread, const std::string& joblog,
                      bool colored, const std::string& program = "bulkhead");

/// Why a run ended, from which its exit status follows.
struct RunEnd {
  int signal = 0;             ///< that asked it to stop
  bool write_failed = false;  ///< a log or output
  bool deadline = false;
  bool halted = false;
  int halt_status = 0;  ///< of the task that decided
  bool input_failed = false;
};
int exit_status(const RunEnd& end, const Tally& tally, ExitCodeMode mode);

}  // namespace bulkhead::tool
