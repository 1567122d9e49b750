#include "command_line/understanding.hpp"

#include "command_line/option_values.hpp"
#include "words/quantity.hpp"
#include "words/usage_error.hpp"

#include <fmt/format.h>

#include <memory>
#include <random>
#include <utility>

namespace bulkhead::tool {

namespace {

void understand_records(WrittenOptions& words, Settings& settings) {
  if (words.given("--delimiter")) {
    if (words.null) throw UsageError("--null and --delimiter both say how records end; give one of them");
    const auto bytes = unescape(words.delimiter);
    if (!bytes || bytes->empty())
      refuse("--delimiter", words.delimiter, "write text with C escapes, like , or \\t or \\0");
    settings.delimiter = *bytes;
  }
  if (words.null) settings.delimiter = std::string(1, '\0');
  if (words.given("--shuf")) {
    const auto seed =
        words.shuffle.empty() ? std::optional<std::uint64_t>(std::random_device()()) : parse_count(words.shuffle);
    if (!seed) refuse("--shuf", words.shuffle, "write --shuf or --shuf=NUMBER");
    settings.tasks.shuffle = seed;
  }
  if (words.given("--colsep")) {
    try {
      settings.column_separator = std::make_shared<const BytePattern>(words.column_separator);
    } catch (const std::invalid_argument& error) {
      refuse("--colsep", words.column_separator,
             fmt::format("{}; write an expression like , or '\\t' or ' +'", error.what()));
    }
  }
  settings.tasks.records_per_task =
      count(words, "--max-args", words.records_per_task, settings.fill_command_line ? SIZE_MAX : 1, 1, 1'000'000'000);
  if (!words.input_format.empty()) {
    if (words.input_format != "jsonl") refuse("--input", words.input_format, "write jsonl, the one there is");
    if (settings.column_separator || settings.header || settings.tasks.records_per_task != 1)
      throw UsageError("--input jsonl says all about a task; --colsep, --header, -n and -X do not go with it");
    settings.tasks.jsonl = true;
  }
}

void understand_resume(const WrittenOptions& words, Settings& settings) {
  const bool all = words.given("--resume");
  if (!all && !words.resume_failed) return;
  const char* const option = words.resume_failed ? "--resume-failed" : "--resume";
  if (settings.joblog.empty())
    throw UsageError(fmt::format("{} needs the log of the run before: --joblog FILE {}", option, option));
  if (settings.dry_run) throw UsageError(fmt::format("{} does not go with --dry-run, which reads no log", option));
  if (!words.resume.empty() && words.resume != "force")
    refuse("--resume", words.resume, "write --resume, or --resume=force");
  if (!settings.quarantine.empty() && settings.quarantine == settings.joblog)
    throw UsageError("--quarantine and --joblog name the same file");
  settings.resume = words.resume_failed ? ResumeMode::failed : ResumeMode::all;
  settings.resume_unchecked = words.resume == "force";
}

void understand_output(const WrittenOptions& words, Settings& settings) {
  if (words.line_buffer && words.ungroup) throw UsageError("--line-buffer and --ungroup exclude each other");
  if (words.line_buffer) settings.output = OutputMode::lines;
  if (words.ungroup) settings.output = OutputMode::ungrouped;
  const bool live = settings.output != OutputMode::grouped;
  const char* live_option = words.ungroup ? "--ungroup" : "--line-buffer";
  if (settings.keep_order && live)
    throw UsageError(
        fmt::format("--keep-order prints whole outputs in order, {} as they come; give one of them", live_option));
  if (!settings.tag_format.empty()) settings.tag = true;
  if (settings.tag && words.ungroup) throw UsageError("--tag has no effect with --ungroup; use --line-buffer");
  settings.progress = one_of<ProgressMode>("--progress", words.progress,
                                           {{"auto", ProgressMode::automatic},
                                            {"bar", ProgressMode::bar},
                                            {"plain", ProgressMode::plain},
                                            {"none", ProgressMode::none}},
                                           ProgressMode::automatic);
  settings.color =
      one_of<ColorMode>("--color", words.color,
                        {{"auto", ColorMode::automatic}, {"always", ColorMode::always}, {"never", ColorMode::never}},
                        ColorMode::automatic);
  settings.exit_code =
      one_of<ExitCodeMode>("--exit-code", words.exit_code,
                           {{"count", ExitCodeMode::count}, {"task", ExitCodeMode::task}}, ExitCodeMode::standard);
  if (settings.statistics && settings.dry_run)
    throw UsageError("--stats tells of a run, and with --dry-run there is none; give one of them");
  if (settings.exit_code == ExitCodeMode::task && settings.halt.count != 1)
    throw UsageError("--exit-code=task needs a --halt that one task decides, like --halt now,fail=1 or now,success=1");
}

void understand_record_files(const WrittenOptions& words, const Settings& settings) {
  if (!settings.results.empty() && settings.output != OutputMode::grouped)
    throw UsageError(fmt::format("--results keeps whole outputs, {} lets them pass; give one of them",
                                 words.ungroup ? "--ungroup" : "--line-buffer"));
  const std::pair<const char*, const std::string*> named[] = {{"--events", &settings.events},
                                                              {"--trace", &settings.trace},
                                                              {"--junit", &settings.junit},
                                                              {"--results", &settings.results}};
  for (const auto& [option, file] : named)
    if (words.given(option) && file->empty()) throw UsageError(fmt::format("{}: an empty name names no file", option));
}

void understand_command(std::vector<std::string> rest, const WrittenOptions& words, Settings& settings) {
  CommandLine line = part_sources(rest);
  settings.command = std::move(line.command);
  for (const std::string& file : words.files) settings.sources.push_back({.is_file = true, .file = file});
  for (SourceSpec& source : line.sources) settings.sources.push_back(std::move(source));
  if (settings.sources.empty()) settings.sources.push_back({.is_file = true, .file = "-"});
  if (settings.replace.empty()) throw UsageError("-I: an empty text stands nowhere; write something like -I @@");
  for (const std::string& assignment : settings.environment)
    if (assignment.find('=') == std::string::npos || assignment.front() == '=')
      refuse("--env", assignment, "write NAME=VALUE");
}

}  // namespace

void understand(WrittenOptions& words, Subcommand which, std::vector<std::string> rest, Settings& settings) {
  understand_records(words, settings);
  understand_running(words, which, settings);
  understand_resume(words, settings);
  understand_output(words, settings);
  understand_record_files(words, settings);
  understand_command(std::move(rest), words, settings);
}

}  // namespace bulkhead::tool
