// --results: a directory a task, with its output in files of its own.
//
// Which task's results a directory holds, its result.json says: memory for all directories would grow with the tasks.
#pragma once

#include "logs/run_listener.hpp"
#include "output/console.hpp"
#include "output/printer.hpp"
#include "records/template.hpp"

#include <cstdint>
#include <string>

namespace bulkhead::tool {

class ResultsDirectories : public RunListener {
 public:
  /// Throws UsageError, also for a template that gives many tasks the same directory.
  ResultsDirectories(const Settings& settings, Printer& printer, Console& console);

  void run_started(const RunStart& start) override { run_id_ = start.run_id; }

  /// An attempt that is tried again leaves its results too: should no other be made, they are the last.
  void attempt_lost(const Attempt& attempt, const std::string& command) override { write(attempt, command); }
  void task_finished(const Attempt& attempt, const std::string& command) override;

 private:
  void write(const Attempt& attempt, const std::string& command);
  std::string directory_of(const Attempt& attempt);
  bool is_taken(const std::string& directory, std::uint64_t sequence) const;

  Printer& printer_;
  Console& console_;
  CommandTemplate template_;
  std::string run_id_;
  bool resumes_, quiet_, warned_ = false;
};

}  // namespace bulkhead::tool
