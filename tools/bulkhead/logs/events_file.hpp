// --events: what happens, one JSON object a line, for programs that follow a run or look back at it.
#pragma once

#include "logs/record_file.hpp"
#include "logs/run_listener.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace bulkhead::tool {

class EventsFile : public RunListener {
 public:
  static constexpr int version = 1;
  explicit EventsFile(const std::string& path) : file_("--events", path) {}

  void run_started(const RunStart& start) override;
  void worker_started(int slot, long process) override;
  void worker_died(int slot, long process, const Failure& failure) override;
  void task_started(const TaskStart& start) override;
  void attempt_lost(const Attempt& attempt, const std::string& command) override;
  void task_finished(const Attempt& attempt, const std::string& command) override;
  void run_finished(const RunFinish& finish) override;

 private:
  void write(const char* event, const nlohmann::ordered_json& fields);

  RecordFile file_;
};

}  // namespace bulkhead::tool
