// What the command line asked for, checked and turned into values.
#pragma once

#include "halt.hpp"
#include "records.hpp"
#include "task_source.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bulkhead::tool {

enum class OutputMode { grouped, lines, ungrouped };
enum class ProgressMode { automatic, bar, plain, none };
enum class ColorMode { automatic, always, never };
enum class ExitCodeMode { standard, count, task };

struct Settings {
  std::vector<std::string> command;  ///< run: the words of the template; call: the plugin; coprocess: the program
  std::vector<SourceSpec> sources;
  std::string delimiter = "\n";
  TaskRules tasks{};

  bool shell = false;          ///< -c
  std::string replace = "{}";  ///< -I
  std::string directory{};     ///< --cwd
  std::vector<std::string> environment{};
  bool clear_environment = false;
  int niceness = 0;

  std::size_t jobs = 1;
  std::chrono::milliseconds timeout{0};   ///< 0: none
  std::chrono::milliseconds deadline{0};  ///< 0: none
  unsigned retries = 0;
  std::chrono::milliseconds retry_delay{0}, max_retry_delay{0};
  HaltPolicy halt{};

  std::uint64_t recycle = 0, crash_limit = 0;  ///< call, coprocess: a fresh worker after, give up after; 0: never

  bool keep_order = false;
  OutputMode output = OutputMode::grouped;
  bool tag = false, dry_run = false, verbose = false, quiet = false;
  ProgressMode progress = ProgressMode::automatic;
  ColorMode color = ColorMode::automatic;
  std::string joblog{};
  ExitCodeMode exit_code = ExitCodeMode::standard;
};

/// From TERM to KILL, wherever a task is ended.
inline constexpr std::chrono::milliseconds kill_grace{2000};

}  // namespace bulkhead::tool
