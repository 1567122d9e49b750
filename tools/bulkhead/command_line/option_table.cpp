#include "command_line/option_table.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <utility>

namespace bulkhead::tool {

namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override { return {}; }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string value = option->get_type_name();
    return value.empty() || value.front() == '[' ? value : " " + value;
  }
};

void add_source_options(CLI::App& app, Settings& settings, WrittenOptions& words) {
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

void add_command_options(CLI::App& app, Settings& settings, WrittenOptions& words) {
  const std::string group = "Command";
  app.add_flag("-c,--shell", settings.shell, "Join the words and give them to sh -c; values are quoted")->group(group);
  app.add_option("-I", settings.replace, "Use STR in the place of {}")->type_name("STR")->group(group);
  app.add_option("-n,--max-args", words.records_per_task, "N records a task")->type_name("N")->group(group);
  app.add_flag("-X", settings.fill_command_line, "As many records a task as fit one command line (with -n: at most N)")
      ->group(group);
  app.add_option("--input", words.input_format, R"(jsonl: a record is {"argv":[..],"env":{..},"stdin":"..","id":".."})")
      ->type_name("FORMAT")
      ->group(group);
}

// Where and how programs run.
void add_place_options(CLI::App& app, Settings& settings, WrittenOptions& words) {
  const std::string group = "Command";
  app.add_option("--cwd", settings.directory, "Run the commands in DIR")->type_name("DIR")->group(group);
  app.add_option("--env", settings.environment, "Set a variable in the tasks' environment; may be repeated")
      ->type_name("K=V")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
  app.add_flag("--clear-env", settings.clear_environment, "Start from an empty environment")->group(group);
  app.add_option("--nice", words.niceness, "Add N to the niceness of the commands")->type_name("N")->group(group);
}

void add_running_options(CLI::App& app, WrittenOptions& words) {
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
  app.add_option(
         "--isolate", words.isolation,
         "contained (default); pid: a pid namespace for each program; strict: besides, no privileges, no network, and "
         "files read-only but below the working directory and TMPDIR")
      ->type_name("HOW")
      ->group(group);
  app.add_option("--delay", words.delay, "Let D pass between two starts")->type_name("D")->group(group);
  app.add_option("--halt", words.halt, "Stop early: now|soon,fail|success|done=N|P%")->type_name("WHEN")->group(group);
  app.add_flag("--fail-fast", words.fail_fast, "--halt now,fail=1")->group(group);
  app.add_option("--deadline", words.deadline, "End the whole run after D, with status 124")
      ->type_name("D")
      ->group(group);
}

void add_limit_options(CLI::App& app, Subcommand which, WrittenOptions& words) {
  const bool programs = which == Subcommand::coprocess;
  const std::string group = programs ? "Limits of a co-process" : "Limits of a task";
  app.add_option("--term-seq", words.term_seq, "End tasks by these signals and waits. Default: TERM,2s,KILL")
      ->type_name("SIG,D,...")
      ->group(group);
  app.add_option("--mem-max", words.mem_max, "End it beyond SIZE (512M 2GiB; 100MB) of memory")
      ->type_name("SIZE")
      ->group(group);
  app.add_option("--cpu-time", words.cpu_time,
                 programs ? "End it after D of processor time for one record" : "End it after D of processor time")
      ->type_name("D")
      ->group(group);
  app.add_option("--fsize", words.fsize, "No file it writes may grow beyond SIZE")->type_name("SIZE")->group(group);
  app.add_option("--nofile", words.nofile, "No more than N open files")->type_name("N")->group(group);
  app.add_option("--output-max", words.output_max,
                 programs ? "End it beyond SIZE of output for one record" : "End it beyond SIZE of output")
      ->type_name("SIZE")
      ->group(group);
}

void add_worker_options(CLI::App& app, Subcommand which, WrittenOptions& words) {
  const std::string group = "Running";
  const bool programs = which == Subcommand::coprocess;
  app.add_option("--recycle", words.recycle,
                 programs ? "A fresh co-process after N records" : "A fresh worker after N records, or an eighth fewer")
      ->type_name("N")
      ->group(group);
  app.add_option("--crash-limit", words.crash_limit,
                 "Give up, with status 3, when workers die N times in a row and no record succeeds meanwhile")
      ->type_name("N")
      ->group(group);
}

void add_result_options(CLI::App& app, Subcommand which, Settings& settings, WrittenOptions& words) {
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
  app.add_flag("--stats", settings.statistics,
               "Say at the end where the time went: dealing, waking, bytes, processor time")
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

}  // namespace

void add_options(CLI::App& app, Subcommand which, Settings& settings, WrittenOptions& words) {
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_formatter()->column_width(34);
  app.set_help_flag();  // CLI11 would list it, and its group, first
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // what is said last counts
  add_source_options(app, settings, words);
  if (which == Subcommand::run) add_command_options(app, settings, words);
  if (which == Subcommand::run || which == Subcommand::coprocess) add_place_options(app, settings, words);
  add_running_options(app, words);
  add_limit_options(app, which, words);
  if (which != Subcommand::run) add_worker_options(app, which, words);
  add_result_options(app, which, settings, words);
  add_record_files(app, settings);
  app.set_help_flag("-h,--help", "-h: the most used options on one screen; --help: all of them")->group("Records out");
}

void note_given(const CLI::App& app, WrittenOptions& words) {
  for (const CLI::Option* option : app.get_options())
    if (option->count() > 0)
      for (const std::string& name : option->get_lnames()) words.names.insert("--" + name);
}

std::vector<OptionEntry> option_table(Subcommand which) {
  Settings settings;
  WrittenOptions words;
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

}  // namespace bulkhead::tool
