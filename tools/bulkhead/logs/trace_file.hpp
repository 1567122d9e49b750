// --trace: the attempts on a time line, a track a slot, as chrome://tracing and ui.perfetto.dev read it.
#pragma once

#include "logs/record_file.hpp"
#include "logs/run_listener.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace bulkhead::tool {

class TraceFile : public RunListener {
 public:
  explicit TraceFile(const std::string& path) : file_("--trace", path) {}

  void run_started(const RunStart& start) override;
  void attempt_lost(const Attempt& attempt, const std::string& command) override { draw(attempt, command); }
  void task_finished(const Attempt& attempt, const std::string& command) override;
  void run_finished(const RunFinish& finish) override;

 private:
  void draw(const Attempt& attempt, const std::string& command);
  void name_track(int slot);
  void add(const nlohmann::ordered_json& event);

  RecordFile file_;
  std::chrono::nanoseconds origin_{};
  std::vector<bool> named_;
  bool first_ = true;
};

}  // namespace bulkhead::tool
