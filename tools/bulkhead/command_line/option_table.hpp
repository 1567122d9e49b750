// The options of `bulkhead run`, `bulkhead call` and `bulkhead coprocess`, and of programs made with batch_main(): the
// one table that the parser, the help, the manual page and the completions are made from.
#pragma once

#include "rules/settings.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;  // CLI11 itself is seen by the few that parse: it takes long to compile
}

namespace bulkhead::tool {

enum class Subcommand { run, call, coprocess, batch };  // batch: batch_main(), a function of the program's own

/// Options as the user wrote them, before they are understood.
struct WrittenOptions {
  /// By its long name; one that the subcommand does not have was not given.
  bool given(std::string_view option) const { return names.contains(option); }

  std::set<std::string, std::less<>> names;
  std::string resume, isolation, column_separator, input_format, retry_on, load, free_memory;
  std::string jobs, timeout, deadline, retry_delay, delay, halt, delimiter, shuffle, progress, color, exit_code;
  std::vector<std::string> files;
  std::string retries, records_per_task, niceness, recycle, crash_limit;
  std::string term_seq, mem_max, cpu_time, fsize, nofile, output_max;
  bool resume_failed = false;
  bool null = false, fail_fast = false, line_buffer = false, ungroup = false;
};

/// Fills `app`. What needs no understanding goes into `settings` at once, the rest into `words`.
void add_options(CLI::App& app, Subcommand which, Settings& settings, WrittenOptions& words);
/// Fills `words.names`, once `app` has parsed.
void note_given(const CLI::App& app, WrittenOptions& words);

/// An option as help, manual page and completions show it.
struct OptionEntry {
  std::string short_name{}, long_name{};  ///< "-j", "--jobs"; either may be empty
  std::string value;                      ///< "FILE"; empty: it takes none
  std::string words, group;
  bool value_optional = false;
};
std::vector<OptionEntry> option_table(Subcommand which);

}  // namespace bulkhead::tool
