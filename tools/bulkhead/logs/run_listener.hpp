// Who wants to know what happens in a run: its events, its trace, its results on disk.
#pragma once

#include "output/summary.hpp"
#include "rules/attempt.hpp"

#include <bulkhead/outcome.hpp>
#include <bulkhead/work_statistics.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace bulkhead::tool {

struct RunStart {
  std::string run_id{}, command{};
  std::size_t jobs = 1;
  std::chrono::nanoseconds when{};  ///< since 1970
  std::string joblog{};             ///< as it was named; empty: none is kept
};
struct RunFinish {
  const Tally& tally;
  std::chrono::nanoseconds wall{};
  int exit_status = 0;
  WorkStatistics statistics{};
};
struct TaskStart {
  const Task& task;
  int slot = 0;
  long process = 0;  ///< of the worker
  std::string command{};
};

/// Told everything in the order in which it becomes known. What it cannot write it throws as a std::system_error that
/// names the file; it is not called again then, and the run starts nothing more.
class RunListener {
 public:
  virtual ~RunListener() = default;
  virtual void run_started(const RunStart&) {}
  virtual void worker_started(int /*slot*/, long /*process*/) {}
  virtual void worker_died(int /*slot*/, long /*process*/, const Failure&) {}
  virtual void task_started(const TaskStart&) {}
  /// The attempt failed and another will follow. Its output can still be read.
  virtual void attempt_lost(const Attempt&, const std::string& /*command*/) {}
  /// Once for every task that was handed out. Its output can still be read, unless it is `dropped`.
  virtual void task_finished(const Attempt&, const std::string& /*command*/) {}
  /// The last call, and the last chance to say that something could not be written.
  virtual void run_finished(const RunFinish&) {}
};

}  // namespace bulkhead::tool
