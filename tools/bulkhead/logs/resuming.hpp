// --resume, --resume-failed: what an earlier run has done, found in its log and taken out of this one.
#pragma once

#include "logs/joblog_history.hpp"
#include "records/task_source.hpp"
#include "rules/settings.hpp"

#include <cstddef>
#include <functional>
#include <string>

namespace bulkhead::tool {

/// Compares the log with the records, task by task, before anything is started, so that a changed input is refused
/// whole.
class Resuming {
 public:
  using Shown = std::function<std::string(const Task& task, int slot)>;
  Resuming(const Settings& settings, std::size_t slots, Shown shown)
      : settings_(settings), slots_(slots), shown_(std::move(shown)) {}

  /// Tells `skip` of every task that is not to be run again. Throws UsageError where log and records do not belong
  /// together, std::system_error for a log that cannot be read.
  void look_through(TaskSource& source, const std::function<void(const Task&)>& skip) const;

 private:
  bool was_done(const Task& task, const JobLogHistory& history) const;
  void refuse_damage(const JobLogHistory& history) const;
  void refuse_fewer(const TaskSource& source, const JobLogHistory& history) const;
  std::string option() const;
  std::string way_out() const;

  const Settings& settings_;
  std::size_t slots_;
  Shown shown_;
};

}  // namespace bulkhead::tool
