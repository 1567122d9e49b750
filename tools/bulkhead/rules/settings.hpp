// What the command line asked for, checked and turned into values.
#pragma once

#include "records/records.hpp"
#include "records/task_source.hpp"
#include "rules/halt.hpp"
#include "rules/retry_on.hpp"

#include <bulkhead/command.hpp>
#include <bulkhead/options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bulkhead::tool {

enum class OutputMode { grouped, lines, ungrouped };
enum class ProgressMode { automatic, bar, plain, none };
enum class ColorMode { automatic, always, never };
enum class ResumeMode { none, all, failed };
enum class ExitCodeMode { standard, count, task };

struct Settings {
  std::string program = "bulkhead";  ///< in whose name it speaks; batch_main(): the name of that program
  std::vector<std::string> command;  ///< run: the words of the template; call: the plugin; coprocess: the program
  std::vector<SourceSpec> sources;
  std::string delimiter = "\n";
  std::shared_ptr<const BytePattern> column_separator{};  ///< --colsep
  bool header = false;                                    ///< --header
  std::vector<std::string> columns{};                     ///< that it names, once they are known
  bool fill_command_line = false;                         ///< -X
  TaskRules tasks{};

  bool shell = false;          ///< -c
  std::string replace = "{}";  ///< -I
  std::string directory{};     ///< --cwd
  std::vector<std::string> environment{};
  bool clear_environment = false;
  int niceness = 0;

  std::optional<std::size_t> jobs{};  ///< none: as many as there are usable cores
  Isolation isolation = Isolation::contained;
  std::chrono::milliseconds timeout{0};   ///< 0: none
  double timeout_percent = 0;             ///< --timeout P%: of the median run time of successful tasks; 0: none
  std::chrono::milliseconds deadline{0};  ///< 0: none
  CommandLimits limits{};
  std::vector<EndStep> end_steps = Command{}.end_steps;  ///< --term-seq
  unsigned retries = 0;
  std::chrono::milliseconds retry_delay{0}, max_retry_delay{0};
  RetryOn retry_on{};
  HaltPolicy halt{};
  double most_load = 0;           ///< --load; 0: any
  std::uint64_t free_memory = 0;  ///< --mem-free, bytes; 0: any

  std::uint64_t recycle = 0, crash_limit = 0;  ///< call, coprocess: a fresh worker after, give up after; 0: never

  bool keep_order = false;
  OutputMode output = OutputMode::grouped;
  std::string tag_format{};  ///< --tag-format; empty: --tag's own
  bool tag = false, dry_run = false, verbose = false, quiet = false, statistics = false;
  ProgressMode progress = ProgressMode::automatic;
  ColorMode color = ColorMode::automatic;
  std::string joblog{};
  ResumeMode resume = ResumeMode::none;               ///< skip what is logged; or what is logged as successful
  bool resume_unchecked = false;                      ///< --resume=force: the commands need not be those of the log
  std::string quarantine{};                           ///< --quarantine
  std::string events{}, trace{}, junit{}, results{};  ///< files, and a template of directories; empty: not wanted
  ExitCodeMode exit_code = ExitCodeMode::standard;
};

inline RecordRules record_rules(const Settings& settings) {
  return {settings.delimiter, settings.column_separator, settings.header, !settings.quarantine.empty()};
}

/// From TERM to KILL, wherever a task is ended.
inline constexpr std::chrono::milliseconds kill_grace{2000};

}  // namespace bulkhead::tool
