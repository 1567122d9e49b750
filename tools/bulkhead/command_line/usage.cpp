#include "command_line/usage.hpp"

#include <fmt/format.h>

namespace bulkhead::tool {

namespace {

constexpr const char* run_usage =
    R"(Runs a program for every record, several at a time; a crash costs only its own task.

Examples:
  bulkhead run gzip -9 ::: *.log                       a program per file
  find . -name '*.png' -print0 | bulkhead run -0 -j50% optipng {}
  bulkhead run -c 'convert {} -resize 50% {.}.small.jpg' ::: *.jpg
  bulkhead run --timeout 30s --retries 2 --joblog jobs.tsv ./fetch {1} {2} ::: eu us ::: 2023 2024
  bulkhead run < commands.txt                          each line is a shell command

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
)";

constexpr const char* coprocess_usage =
    R"(Gives records to long-lived co-processes: a record is a line on standard input, a line back is its result.

A co-process that dies, hangs, says more than one line or closes its output costs the record in hand, and another takes
its place. It must flush each answer. --timeout includes the start of the co-process, for the first record it gets.

Examples:
  bulkhead coprocess -j4 -k python3 scorer.py < records.txt > scores.txt
  bulkhead coprocess --timeout 5s --retries 1 --recycle 10000 -- ./parse --strict ::: a b c

Usage: bulkhead coprocess [OPTIONS] [--] COMMAND [ARG...] [::: VALUE...]
)";

constexpr const char* batch_usage = R"(Calls this program's function for every record, in long-lived workers.

Usage: PROGRAM [OPTIONS] [::: VALUE...]
)";

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
  std::string text = all.substr(0, all.find("\nSources:"));
  if (const std::size_t groups = text.find("\nRecords in:"); groups != std::string::npos) text.resize(groups);
  text += "\nMost used:\n";
  for (const char* name : {"--jobs", "--keep-order", "--null", "--shell", "--timeout", "--retries", "--joblog",
                           "--resume", "--dry-run", "--fail-fast"}) {
    const CLI::Option* option = app.get_option_no_throw(name);
    if (!option) continue;
    const std::string first = option->get_snames().empty() ? "    " : "-" + option->get_snames().front() + ", ";
    const std::string value = option->get_type_name().empty() ? "" : " " + option->get_type_name();
    text += fmt::format("  {}{:<20} {}\n", first, name + value, option->get_description());
  }
  return text + fmt::format("\nAll options: bulkhead {} --help\n", app.get_name());
}

}  // namespace bulkhead::tool
