// What became of one attempt at a task, in the words the program reports it with.
#pragma once

#include "records/task_source.hpp"

#include <bulkhead/command.hpp>
#include <bulkhead/outcome.hpp>
#include <bulkhead/task_output.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bulkhead::tool {

enum class TaskEnd {
  ok,
  failed,   ///< ran to an end that is not success
  crashed,  ///< ended by a signal that is none of ours
  timed_out,
  out_of_memory,
  left_over,  ///< stopped before its end, or never started
};

struct Attempt {
  Task task{};
  int slot = 0;  ///< from 0
  TaskEnd end = TaskEnd::left_over;
  std::string words{};  ///< "EXIT 3", "CRASH SIGSEGV", "TIMEOUT 30s"
  int exit_code = -1;   ///< -1: it has none of its own
  int signal = 0;
  bool leaked = false;
  bool worker_died = false;                     ///< a worker's or co-process' own end, which --crash-limit counts
  std::chrono::nanoseconds started{}, ran{};    ///< since 1970; of this attempt
  ByteRange output{}, error{};                  ///< in its slot's files
  std::string result{};                         ///< of a function: one line
  std::string error_tail{};                     ///< the last lines of its standard error
  long process = 0;                             ///< of the worker that ran it; 0: not known
  std::uint64_t max_rss = 0;                    ///< bytes; 0: not known
  std::optional<std::uint64_t> output_bytes{};  ///< nullopt: not counted, the output went its own way
  std::vector<std::string> backtrace{};
  std::string given_up{};  ///< why no worker could be had for it; empty: one could
  bool dropped = false;    ///< its output has been discarded, for another attempt that then was not made
};

/// A program's end in words. `timeout` is the limit it was given.
void describe(const CommandResult& result, std::chrono::milliseconds timeout, Attempt& attempt);
/// A limit that a program went beyond.
void describe(const LimitHit& hit, Attempt& attempt);
/// A task that came back without a value: its worker's end, or its function's exception.
void describe(const Failure& failure, std::chrono::milliseconds timeout, const CommandLimits& limits, Attempt& attempt);
/// Where a program failed and its last words are the system's for one of these limits, says so. A program is told of
/// them by errors of its calls, and only its words betray them.
void name_refused_files(const CommandLimits& limits, Attempt& attempt);

/// As a shell would report it: the code, 128+n for a signal, 124 for a time-out, 1 otherwise.
int shell_status(const Attempt& attempt);

/// The record as one line: its fields with a space between.
std::string joined_record(const Task& task);

}  // namespace bulkhead::tool
