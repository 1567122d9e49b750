#include "command_line/usage.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <array>
#include <utility>

namespace bulkhead::tool {

namespace {

constexpr const char* run_usage =
    R"(Runs a program for every record; a crash costs only its own task.

Examples:
  bulkhead run gzip -9 ::: *.log          a program per file
  find . -name '*.png' -print0 | bulkhead run -0 -j50% optipng {}
  bulkhead run -c 'convert {} -resize 50% {.}.small.jpg' ::: *.jpg
  bulkhead run --timeout 30s --retries 2 ./get {1} {2} ::: eu us ::: 23 24
  bulkhead run < commands.txt             each line is a shell command

Usage: bulkhead run [OPTIONS] [--] COMMAND [ARG...] [::: VALUE...]

Sources:       standard input, a record a line; or behind the command:
  ::: V...     values    :::: FILE...  records of files (- is standard input)
  :::+ V...    values in step with the source before    ::::+ FILE...  the same from files
  Several sources multiply; the last varies fastest.
Places:        {} the record   {.} without extension   {/} basename   {//} dirname   {/.} basename without extension
               {#} sequence number   {%} slot   {2} {2.} {2/} {2//} {2/.} second source   {-1} last source
)";

constexpr const char* call_usage = R"(Calls a compiled function for every record, in long-lived workers.

Examples:
  bulkhead call ./square.so ::: 1 2 3
  bulkhead call --retries 1 -k ./parsers.so:parse_header < files.txt

Usage: bulkhead call [OPTIONS] PLUGIN.so[:FUNCTION] [::: VALUE...]

A function takes strings and numbers as they are written, all other types as JSON, and a column for each parameter.
)";

constexpr const char* coprocess_usage =
    R"(Gives each record as a line to a long-lived program; a line back is its result.

Examples:
  bulkhead coprocess -j4 -k python3 scorer.py < records.txt > scores.txt
  bulkhead coprocess --timeout 5s --recycle 10000 -- ./parse --strict ::: a b c

Usage: bulkhead coprocess [OPTIONS] [--] COMMAND [ARG...] [::: VALUE...]

A co-process that dies, hangs, says more than one line or closes its output costs the record in hand, and another takes
its place. It must flush each answer. --timeout and --cpu-time are for one record, and include the start of the
co-process for the first it gets; --output-max is for one record's answer and standard error; --mem-max, --fsize and
--nofile are for the co-process as long as it runs.
)";

constexpr const char* batch_usage = R"(Calls this program's function for every record, in long-lived workers.

It takes strings and numbers as they are written, all other types as JSON, and a column for each parameter.

Usage: PROGRAM [OPTIONS] [::: VALUE...]

Exit status: 0 all records succeeded, 1 some did not, 2 usage, 3 stopped by --halt or --crash-limit, 5 a log or output
could not be written, 70 internal error, 124 --deadline, 128+n ended by signal n, 141 standard output's reader has gone.
)";

// In fewer words than the table has for them: on a screen of 80 columns each keeps to its line.
constexpr std::array<std::pair<const char*, const char*>, 10> most_used{{
    {"--jobs", "How many at once; default: the usable cores"},
    {"--keep-order", "Output in the order of the records"},
    {"--null", "Records end with a NUL byte"},
    {"--shell", "Give the words to sh -c, values quoted"},
    {"--timeout", "End an attempt after D, like 250ms 10s 1m30s"},
    {"--retries", "Try a failed task N more times"},
    {"--joblog", "Append a line per finished task"},
    {"--resume", "Skip what --joblog has"},
    {"--dry-run", "Print the commands and run nothing"},
    {"--fail-fast", "Stop everything when a task fails"},
}};

}  // namespace

const char* usage_of(Subcommand which) {
  switch (which) {
    case Subcommand::run:
      return run_usage;
    case Subcommand::call:
      return call_usage;
    case Subcommand::coprocess:
      return coprocess_usage;
    case Subcommand::batch:
      return batch_usage;
  }
  return "";
}

std::string short_help(const CLI::App& app) {
  const std::string all = app.help();
  const std::size_t usage = all.find("Usage:");
  std::string text = all.substr(0, all.find('\n', usage) + 1) + "\nMost used:\n";
  for (const auto& [name, words] : most_used) {
    const CLI::Option* option = app.get_option_no_throw(name);
    if (!option) continue;
    const std::string first = option->get_snames().empty() ? "    " : "-" + option->get_snames().front() + ", ";
    std::string value = option->get_type_name();
    if (!value.empty() && value.front() != '[') value.insert(0, " ");
    text += fmt::format("  {}{:<18} {}\n", first, name + value, words);
  }
  return text + fmt::format("All options: {} --help\n", app.get_name());
}

}  // namespace bulkhead::tool
