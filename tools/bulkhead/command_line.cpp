#include "command_line.hpp"

#include "option_words.hpp"
#include "quantity.hpp"
#include "term_sequence.hpp"
#include "usage_error.hpp"

#include <bulkhead/options.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <memory>
#include <random>

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

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override { return {}; }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string value = option->get_type_name();
    return value.empty() || value.front() == '[' ? value : " " + value;
  }
};

// Options as the user wrote them, before they are understood.
struct Words {
  std::string resume, isolation, column_separator, input_format, retry_on, load, free_memory;
  std::string jobs, timeout, deadline, retry_delay, delay, halt, delimiter, shuffle, progress, color, exit_code;
  std::vector<std::string> files;
  std::uint64_t retries = 0, records_per_task = 1;
  std::string term_seq, mem_max, cpu_time, fsize, output_max;
  std::uint64_t nofile = 0;
  bool resume_failed = false;
  bool null = false, fail_fast = false, line_buffer = false, ungroup = false;
};

void add_source_options(CLI::App& app, Settings& settings, Words& words) {
  const std::string group = "Records in";
  app.add_option("-a,--arg-file", words.files, "Read records from FILE; - is standard input")
      ->type_name("FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
  app.add_flag("-0,--null", words.null, "Records end with a NUL byte")->group(group);
  app.add_option("-d,--delimiter", words.delimiter, "Records end with STR (C escapes: \\t \\0 \\x1e)")
      ->type_name("STR")
      ->group(group);
  app.add_option("--colsep", words.column_separator, "Split records into {1} {2} ... where RE matches")
      ->type_name("RE")
      ->group(group);
  app.add_flag("--header", settings.header, "The first record of each source names its columns: {name}")->group(group);
  app.add_flag("-r,--no-run-if-empty", settings.tasks.skip_empty, "Skip empty records")->group(group);
  app.add_option("--shuf", words.shuffle, "Shuffle the records, which are read whole first; =SEED repeats an order")
      ->type_name("[=SEED]")
      ->expected(0, 1)
      ->group(group);
}

void add_command_options(CLI::App& app, Settings& settings, Words& words) {
  const std::string group = "Command";
  app.add_flag("-c,--shell", settings.shell, "Join the words and give them to sh -c; values are quoted")->group(group);
  app.add_option("-I", settings.replace, "Use STR in the place of {}")->type_name("STR")->group(group);
  app.add_option("-n,--max-args", words.records_per_task, "N records a task")->type_name("N")->group(group);
  app.add_flag("-X", settings.fill_command_line, "As many records a task as fit one command line (with -n: at most N)")
      ->group(group);
  app.add_option("--input", words.input_format, R"(jsonl: a record is {"argv":[..],"env":{..},"stdin":"..","id":".."})")
      ->type_name("FORMAT")
      ->group(group);
  app.add_option("--cwd", settings.directory, "Run the commands in DIR")->type_name("DIR")->group(group);
  app.add_option("--env", settings.environment, "Set a variable in the tasks' environment; may be repeated")
      ->type_name("K=V")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
  app.add_flag("--clear-env", settings.clear_environment, "Start from an empty environment")->group(group);
  app.add_option("--nice", settings.niceness, "Add N to the niceness of the commands")->type_name("N")->group(group);
}

void add_running_options(CLI::App& app, Words& words) {
  const std::string group = "Running";
  app.add_option("-j,--jobs", words.jobs, "Slots: N, N% of the cores, +N or -N of them. Default: the usable cores")
      ->type_name("N")
      ->group(group);
  app.add_option("--timeout", words.timeout,
                 "End an attempt after D (250ms 10s 1m30s 2h), or P% of the median run time of successful ones")
      ->type_name("D|P%")
      ->group(group);
  app.add_option("--retries", words.retries, "Try a failed task N more times")->type_name("N")->group(group);
  app.add_option("--retry-delay", words.retry_delay, "Wait D before that, doubling up to MAX")
      ->type_name("D[..MAX]")
      ->group(group);
  app.add_option("--retry-on", words.retry_on, "Which ends: fail,crash,timeout,oom,exit=N. Default: all")
      ->type_name("ENDS")
      ->group(group);
  app.add_option("--load", words.load, "Start a task only while the load average is below L")
      ->type_name("L")
      ->group(group);
  app.add_option("--mem-free", words.free_memory, "Start a task only while more than SIZE of memory is available")
      ->type_name("SIZE")
      ->group(group);
  app.add_option("--isolate", words.isolation, "contained, pid (a pid namespace) or strict (call: a sandbox as well)")
      ->type_name("HOW")
      ->group(group);
  app.add_option("--delay", words.delay, "Let D pass between two starts")->type_name("D")->group(group);
  app.add_option("--halt", words.halt, "Stop early: now|soon,fail|success|done=N|P%")->type_name("WHEN")->group(group);
  app.add_flag("--fail-fast", words.fail_fast, "--halt now,fail=1")->group(group);
  app.add_option("--deadline", words.deadline, "End the whole run after D, with status 124")
      ->type_name("D")
      ->group(group);
}

void add_ending_option(CLI::App& app, Words& words) {
  app.add_option("--term-seq", words.term_seq, "End tasks by these signals and waits. Default: TERM,2s,KILL")
      ->type_name("SIG,D,...")
      ->group("Limits of a task");
}

void add_limit_options(CLI::App& app, Words& words) {
  const std::string group = "Limits of a task";
  add_ending_option(app, words);
  app.add_option("--mem-max", words.mem_max, "End it beyond SIZE (512M 2GiB; 100MB) of memory")
      ->type_name("SIZE")
      ->group(group);
  app.add_option("--cpu-time", words.cpu_time, "End it after D of processor time")->type_name("D")->group(group);
  app.add_option("--fsize", words.fsize, "No file it writes may grow beyond SIZE")->type_name("SIZE")->group(group);
  app.add_option("--nofile", words.nofile, "No more than N open files")->type_name("N")->group(group);
  app.add_option("--output-max", words.output_max, "End it beyond SIZE of output")->type_name("SIZE")->group(group);
}

void add_worker_options(CLI::App& app, Subcommand which, Settings& settings) {
  const std::string group = "Running";
  const bool programs = which == Subcommand::coprocess;
  app.add_option("--recycle", settings.recycle,
                 programs ? "A fresh co-process after N records" : "A fresh worker after N records, or an eighth fewer")
      ->type_name("N")
      ->group(group);
  app.add_option("--crash-limit", settings.crash_limit,
                 "Give up, with status 3, when workers die N times in a row and no record succeeds meanwhile")
      ->type_name("N")
      ->group(group);
}

void add_result_options(CLI::App& app, Subcommand which, Settings& settings, Words& words) {
  const std::string group = "Records out";
  app.add_flag("-k,--keep-order", settings.keep_order, "Output in the order of the records")->group(group);
  if (which == Subcommand::run || which == Subcommand::coprocess) {
    app.add_flag("--line-buffer", words.line_buffer, "Output by lines as they come, not by tasks as they end")
        ->group(group);
    app.add_flag("-u,--ungroup", words.ungroup, "Leave the output alone: it mixes")->group(group);
  }
  if (which == Subcommand::run)
    app.add_flag("--dry-run", settings.dry_run, "Print the commands and run nothing")->group(group);
  app.add_flag("--tag", settings.tag, "Begin each line with its record and a TAB")->group(group);
  app.add_option("--tag-format", settings.tag_format, "Begin each line with the template T")
      ->type_name("T")
      ->group(group);
  app.add_flag("-v,--verbose", settings.verbose, "Print each command on standard error as it starts")->group(group);
  app.add_option("--joblog", settings.joblog, "Append a line per finished task (GNU parallel's columns)")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--resume", words.resume, "Skip what --joblog has; =force: even if the commands have changed")
      ->type_name("[=force]")
      ->expected(0, 1)
      ->group(group);
  app.add_flag("--resume-failed", words.resume_failed, "Skip what --joblog has as successful")->group(group);
  app.add_option("--quarantine", settings.quarantine, "Write the records that crashed in their last attempt to FILE")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--progress", words.progress, "auto, bar, plain or none")->type_name("HOW")->group(group);
  app.add_option("--color", words.color, "auto, always or never")->type_name("WHEN")->group(group);
  app.add_flag("-q,--quiet", settings.quiet, "No progress and no summary; errors only")->group(group);
  app.add_option("--exit-code", words.exit_code,
                 "count: how many tasks failed; task: with --halt ...=1, that task's own")
      ->type_name("WHAT")
      ->group(group);
}

void add_record_files(CLI::App& app, Settings& settings) {
  const std::string group = "Records out";
  const auto add = [&](const char* name, std::string& path, const char* text) {
    return app.add_option(name, path, text)->type_name("FILE")->group(group);
  };
  add("--events", settings.events, "Write what happens as JSON, an object a line; bulkhead report makes a page of it");
  add("--trace", settings.trace, "Write a time line for chrome://tracing or ui.perfetto.dev, a track a slot");
  add("--junit", settings.junit, "Write a JUnit report, a test case a task");
  add("--results", settings.results, "Keep stdout, stderr and result.json of each task in a directory of its own")
      ->type_name("TEMPLATE");
}

[[noreturn]] void refuse(std::string_view option, const std::string& value, std::string_view remedy) {
  throw UsageError(fmt::format("{}: \"{}\" will not do; {}", option, value, remedy));
}

std::chrono::milliseconds duration(std::string_view option, const std::string& text) {
  if (text.empty()) return std::chrono::milliseconds(0);
  const auto parsed = parse_duration(text);
  if (!parsed) refuse(option, text, "write a duration like 250ms, 10s, 1m30s or 2h");
  return *parsed;
}

std::uint64_t size(const CLI::App& app, const std::string& option, const std::string& text) {
  if (app.count(option) == 0) return 0;
  const auto parsed = parse_size(text);
  if (!parsed) refuse(option, text, "write a size like 4096, 512M, 2GiB or 100MB");
  if (*parsed == 0) refuse(option, text, "leave the option out for no limit");
  return *parsed;
}

template <class T>
T one_of(std::string_view option, const std::string& text,
         std::initializer_list<std::pair<std::string_view, T>> choices, T otherwise) {
  if (text.empty()) return otherwise;
  std::string all;
  for (const auto& [name, value] : choices) {
    if (name == text) return value;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  refuse(option, text, "choose one of " + all);
}

void understand_records(Words& words, const CLI::App& app, Settings& settings) {
  if (app.count("--delimiter") > 0) {
    if (words.null) throw UsageError("--null and --delimiter both say how records end; give one of them");
    const auto bytes = unescape(words.delimiter);
    if (!bytes || bytes->empty())
      refuse("--delimiter", words.delimiter, "write text with C escapes, like , or \\t or \\0");
    settings.delimiter = *bytes;
  }
  if (words.null) settings.delimiter = std::string(1, '\0');
  if (app.count("--shuf") > 0) {
    const auto seed =
        words.shuffle.empty() ? std::optional<std::uint64_t>(std::random_device()()) : parse_count(words.shuffle);
    if (!seed) refuse("--shuf", words.shuffle, "write --shuf or --shuf=NUMBER");
    settings.tasks.shuffle = seed;
  }
  if (app.count("--colsep") > 0) {
    try {
      settings.column_separator = std::make_shared<const BytePattern>(words.column_separator);
    } catch (const std::invalid_argument& error) {
      refuse("--colsep", words.column_separator,
             fmt::format("{}; write an expression like , or '\\t' or ' +'", error.what()));
    }
  }
  if (!words.input_format.empty()) {
    if (words.input_format != "jsonl") refuse("--input", words.input_format, "jsonl is the one there is");
    if (settings.column_separator || settings.header || settings.fill_command_line || words.records_per_task != 1)
      throw UsageError("--input jsonl says all about a task; --colsep, --header, -n and -X do not go with it");
    settings.tasks.jsonl = true;
  }
  if (settings.fill_command_line && app.count("--max-args") == 0) words.records_per_task = SIZE_MAX;
  if (words.records_per_task == 0) throw UsageError("--max-args: 0 records make no task; write at least 1");
  settings.tasks.records_per_task = words.records_per_task;
}

void understand_running(const Words& words, const CLI::App& app, Settings& settings) {
  const std::size_t cores = usable_cores();
  const auto jobs = words.jobs.empty() ? std::optional(cores) : parse_jobs(words.jobs, cores);
  if (!jobs) refuse("--jobs", words.jobs, "write N, N%, +N or -N, at least 1 and at most 65536");
  settings.jobs = *jobs;
  if (words.timeout.ends_with('%')) {
    const auto percent = parse_count(std::string_view(words.timeout).substr(0, words.timeout.size() - 1));
    if (!percent || *percent == 0 || *percent > 1'000'000)
      refuse("--timeout", words.timeout, "write a duration, or a share of the median like 300%");
    settings.timeout_percent = static_cast<double>(*percent);
  } else {
    settings.timeout = duration("--timeout", words.timeout);
  }
  if (app.count("--timeout") > 0 && settings.timeout.count() == 0 && settings.timeout_percent == 0)
    refuse("--timeout", words.timeout, "leave the option out for no limit");
  settings.deadline = duration("--deadline", words.deadline);
  if (app.count("--deadline") > 0 && settings.deadline.count() == 0)
    refuse("--deadline", words.deadline, "leave the option out for no limit");
  settings.tasks.spacing = duration("--delay", words.delay);
  if (words.retries > 1'000'000) refuse("--retries", std::to_string(words.retries), "a million is the most");
  settings.retries = static_cast<unsigned>(words.retries);
  if (!words.retry_delay.empty()) {
    if (settings.retries == 0) throw UsageError("--retry-delay has no effect without --retries N");
    const std::size_t dots = words.retry_delay.find("..");
    settings.retry_delay = duration("--retry-delay", words.retry_delay.substr(0, dots));
    settings.max_retry_delay = dots == std::string::npos
                                   ? std::chrono::minutes(1)
                                   : duration("--retry-delay", words.retry_delay.substr(dots + 2));
    if (settings.max_retry_delay < settings.retry_delay)
      refuse("--retry-delay", words.retry_delay, "the longest delay, behind the dots, is shorter than the first");
  }
  if (app.count("--retry-on") > 0) {
    if (settings.retries == 0) throw UsageError("--retry-on has no effect without --retries N");
    const auto on = parse_retry_on(words.retry_on);
    if (!on) refuse("--retry-on", words.retry_on, "write some of fail,crash,timeout,oom,exit=N with commas between");
    settings.retry_on = *on;
  }
  if (app.count("--load") > 0) {
    const auto load = parse_number(words.load);
    if (!load || *load <= 0) refuse("--load", words.load, "write a load average above 0, like 1.5");
    settings.most_load = *load;
  }
  if (app.count("--mem-free") > 0) {
    const auto size = parse_size(words.free_memory);
    if (!size) refuse("--mem-free", words.free_memory, "write a size like 512M, 2GiB or 1.5GB");
    settings.free_memory = *size;
  }
  if (words.fail_fast && !words.halt.empty()) throw UsageError("--fail-fast is --halt now,fail=1; give one of them");
  const auto halt = parse_halt(words.fail_fast ? "now,fail=1" : words.halt.empty() ? "never" : words.halt);
  if (!halt) refuse("--halt", words.halt, "write now or soon, a comma, fail, success or done, and =N or =P%");
  settings.halt = *halt;
  settings.tasks.read_ahead = halt->needs_total();
}

void understand_term_sequence(const Words& words, Subcommand which, Settings& settings) {
  const auto steps = parse_term_sequence(words.term_seq);
  if (!steps) refuse("--term-seq", words.term_seq, "write signals and waits in turn, like TERM,10s,KILL");
  const bool plain = steps->size() == 2 && steps->front().signal == SIGTERM;
  if (which == Subcommand::call && !plain)
    refuse("--term-seq", words.term_seq, "call ends its workers by TERM, a wait and KILL, like TERM,10s,KILL");
  settings.end_steps = *steps;
}

void understand_limits(const Words& words, const CLI::App& app, Subcommand which, Settings& settings) {
  if (app.count("--term-seq") > 0) understand_term_sequence(words, which, settings);
  if (which == Subcommand::coprocess) return;
  settings.limits.memory = size(app, "--mem-max", words.mem_max);
  settings.limits.cpu_time = duration("--cpu-time", words.cpu_time);
  if (app.count("--cpu-time") > 0 && settings.limits.cpu_time.count() == 0)
    refuse("--cpu-time", words.cpu_time, "leave the option out for no limit");
  settings.limits.file_size = size(app, "--fsize", words.fsize);
  if (app.count("--nofile") > 0 && (words.nofile == 0 || words.nofile > 1u << 30))
    refuse("--nofile", std::to_string(words.nofile), "write at least 1 and at most 1073741824");
  settings.limits.open_files = static_cast<unsigned>(words.nofile);
  settings.limits.output = size(app, "--output-max", words.output_max);
  if (settings.limits.output != 0 && words.ungroup)
    throw UsageError(
        "--output-max counts what passes through Bulkhead, and with --ungroup nothing does; "
        "use --line-buffer");
}

void understand_workers(const CLI::App& app, const Settings& settings) {
  for (const auto& [option, value] :
       {std::pair("--recycle", settings.recycle), {"--crash-limit", settings.crash_limit}})
    if (value == 0 && app.get_option_no_throw(option) != nullptr && app.count(option) > 0)
      refuse(option, "0", "leave the option out for no limit");
}

void understand_resume(const Words& words, const CLI::App& app, Settings& settings) {
  const bool all = app.count("--resume") > 0;
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

void understand_isolation(const Words& words, Subcommand which, Settings& settings) {
  settings.isolation =
      one_of<Isolation>("--isolate", words.isolation,
                        {{"contained", Isolation::contained}, {"pid", Isolation::pid}, {"strict", Isolation::strict}},
                        Isolation::contained);
  if (settings.isolation == Isolation::strict && which != Subcommand::call)
    refuse("--isolate", words.isolation, "under it no program can be started; it is for call. Choose pid");
  if (settings.timeout_percent > 0 && which != Subcommand::run)
    refuse("--timeout", words.timeout, "a share of the median is for run; write a duration");
}

void understand_output(const Words& words, Settings& settings) {
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
  if (settings.exit_code == ExitCodeMode::task && settings.halt.count != 1)
    throw UsageError("--exit-code=task needs a --halt that one task decides, like --halt now,fail=1 or now,success=1");
}

void understand_record_files(const Words& words, const CLI::App& app, const Settings& settings) {
  if (!settings.results.empty() && settings.output != OutputMode::grouped)
    throw UsageError(fmt::format("--results keeps whole outputs, {} lets them pass; give one of them",
                                 words.ungroup ? "--ungroup" : "--line-buffer"));
  for (const char* name : {"--events", "--trace", "--junit", "--results"})
    if (app.count(name) > 0 && app.get_option(name)->as<std::string>().empty())
      throw UsageError(fmt::format("{}: an empty name names no file", name));
}

void understand_command(std::vector<std::string> rest, const Words& words, Settings& settings) {
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

void add_options(CLI::App& app, Subcommand which, Settings& settings, Words& words) {
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_formatter()->column_width(34);
  app.set_help_flag();  // CLI11 would list it, and its group, first
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // what is said last counts
  add_source_options(app, settings, words);
  if (which == Subcommand::run) add_command_options(app, settings, words);
  add_running_options(app, words);
  if (which == Subcommand::coprocess)
    add_ending_option(app, words);
  else
    add_limit_options(app, words);
  if (which != Subcommand::run) add_worker_options(app, which, settings);
  add_result_options(app, which, settings, words);
  add_record_files(app, settings);
  app.set_help_flag("-h,--help", "-h: the most used options on one screen; --help: all of them")->group("Records out");
}

// One screen: the examples, and the options that most runs get by with.
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

}  // namespace

std::vector<OptionEntry> option_table(Subcommand which) {
  Settings settings;
  Words words;
  CLI::App app;
  add_options(app, which, settings, words);
  std::vector<OptionEntry> table;
  for (const CLI::Option* option : app.get_options()) {
    OptionEntry entry{.value = option->get_type_name(),
                      .words = option->get_description(),
                      .group = option->get_group(),
                      .value_optional = option->get_expected_min() == 0 && !option->get_type_name().empty()};
    if (!option->get_snames().empty()) entry.short_name = "-" + option->get_snames().front();
    if (!option->get_lnames().empty()) entry.long_name = "--" + option->get_lnames().front();
    table.push_back(std::move(entry));
  }
  return table;
}

std::optional<Settings> parse_command_line(Subcommand which, const std::vector<std::string>& words, std::string& help) {
  const bool run = which == Subcommand::run;
  Settings settings;
  Words raw;
  const bool coprocess = which == Subcommand::coprocess;
  CLI::App app(usage_of(which), run ? "run" : coprocess ? "coprocess" : "call");
  add_options(app, which, settings, raw);

  PartedWords parted = part_options(app, words);
  try {
    app.parse(std::vector<std::string>(parted.options.rbegin(), parted.options.rend()));  // it takes them from the back
  } catch (const CLI::CallForHelp&) {
    const bool all = std::find(words.begin(), words.end(), "--help") != words.end();
    help = all ? app.help() : short_help(app);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}; bulkhead {} --help says what it takes", error.what(), app.get_name()));
  }
  understand_records(raw, app, settings);
  understand_running(raw, app, settings);
  understand_isolation(raw, which, settings);
  understand_resume(raw, app, settings);
  understand_limits(raw, app, which, settings);
  understand_workers(app, settings);
  understand_output(raw, settings);
  understand_record_files(raw, app, settings);
  understand_command(std::move(parted.rest), raw, settings);
  return settings;
}

}  // namespace bulkhead::tool
