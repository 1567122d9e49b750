#include "logs/task_json.hpp"

#include "words/as_number.hpp"

#include <chrono>

namespace bulkhead::tool {

std::string_view to_string(TaskEnd end) noexcept {
  switch (end) {
    case TaskEnd::ok:
      return "ok";
    case TaskEnd::failed:
      return "failed";
    case TaskEnd::crashed:
      return "crashed";
    case TaskEnd::timed_out:
      return "timed_out";
    case TaskEnd::out_of_memory:
      return "out_of_memory";
    case TaskEnd::left_over:
      break;
  }
  return "left_over";
}

nlohmann::ordered_json describe_as_json(const Attempt& attempt, const std::string& command) {
  nlohmann::ordered_json object{
      {"seq", attempt.task.sequence},
      {"attempt", attempt.task.attempt},
      {"slot", attempt.slot + 1},
      {"pid", attempt.process},
      {"record", joined_record(attempt.task)},
      {"command", command},
      {"ending", to_string(attempt.end)},
      {"words", attempt.words},
      {"exit_code", attempt.exit_code},
      {"signal", attempt.signal},
      {"started", as_seconds(attempt.started)},
      {"ran", as_seconds(attempt.ran)},
      {"max_rss", attempt.max_rss},
      {"output_bytes", nullptr},
      {"error_tail", attempt.error_tail},
      {"backtrace", attempt.backtrace},
  };
  if (attempt.output_bytes) object["output_bytes"] = *attempt.output_bytes;
  return object;
}

std::string one_line(const nlohmann::ordered_json& object) {
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace bulkhead::tool
