// --results: a directory a task, with its output in files of its own.
#pragma once

#include "logs/run_listener.hpp"
#include "output/printer.hpp"
#include "records/template.hpp"

#include <string>

namespace bulkhead::tool {

class ResultsDirectories : public RunListener {
 public:
  /// Throws UsageError.
  ResultsDirectories(const Settings& settings, Printer& printer);

  /// An attempt that is tried again leaves its results too: should no other be made, they are the last.
  void attempt_lost(const Attempt& attempt, const std::string& command) override { write(attempt, command); }
  void task_finished(const Attempt& attempt, const std::string& command) override;

 private:
  void write(const Attempt& attempt, const std::string& command);
  std::string directory_of(const Attempt& attempt) const;

  Printer& printer_;
  CommandTemplate template_;
};

}  // namespace bulkhead::tool
