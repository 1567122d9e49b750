// One line of the events, read back: the few members that a report is made of, without a tree of the rest.
#pragma once

#include <cstdint>
#include <string>

namespace bulkhead::tool {

/// What a member that the line does not have is left at.
struct EventLine {
  std::string event{}, record{}, command{}, ending{}, words{}, error_tail{}, run_id{}, tool{}, joblog{};
  std::string stack{};                              ///< of `backtrace`: a line a frame
  double time = 0, started = 0, ran = 0, wall = 0;  ///< seconds; `time` and `started` since 1970
  std::int64_t seq = 0, attempt = 0, slot = 0, version = 0, jobs = 0, leaked = 0;
  std::int64_t max_rss = 0;        ///< bytes; 0: not known
  std::int64_t output_bytes = -1;  ///< -1: not counted
  std::int64_t exit_status = 0;

  /// Takes the place of what was read before. Empty where `line` is an event, otherwise what is wrong with it, in
  /// words.
  std::string read(const std::string& line);
};

}  // namespace bulkhead::tool
