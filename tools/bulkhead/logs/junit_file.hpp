// --junit: the run as a test report, a test case a task, as CI systems show it.
#pragma once

#include "logs/record_file.hpp"
#include "logs/run_listener.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace bulkhead::tool {

class JunitFile : public RunListener {
 public:
  explicit JunitFile(const std::string& path) : file_("--junit", path) {}

  void run_started(const RunStart& start) override;
  void task_finished(const Attempt& attempt, const std::string& command) override;
  void run_finished(const RunFinish& finish) override;

 private:
  RecordFile file_;
  std::string suite_;
  std::uint64_t written_ = 0;
};

/// Text for XML 1.0, which has no way to write most control characters: those, and what is not UTF-8, become C escapes.
std::string xml_text(std::string_view bytes);

}  // namespace bulkhead::tool
