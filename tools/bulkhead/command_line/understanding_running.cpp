#include "command_line/understanding.hpp"

#include "command_line/option_values.hpp"
#include "rules/term_sequence.hpp"
#include "words/quantity.hpp"
#include "words/usage_error.hpp"

#include <bulkhead/options.hpp>

#include <fmt/format.h>

#include <csignal>

namespace bulkhead::tool {

namespace {

void understand_pace(const WrittenOptions& words, Settings& settings) {
  if (!words.jobs.empty()) {
    settings.jobs = parse_jobs(words.jobs, usable_cores());
    if (!settings.jobs) refuse("--jobs", words.jobs, "write N, N%, +N or -N, at least 1 and at most 65536");
  }
  if (words.timeout.ends_with('%')) {
    const auto percent = parse_count(std::string_view(words.timeout).substr(0, words.timeout.size() - 1));
    if (!percent || *percent == 0 || *percent > 1'000'000)
      refuse("--timeout", words.timeout, "write a duration, or a share of the median like 300%");
    settings.timeout_percent = static_cast<double>(*percent);
  } else {
    settings.timeout = duration("--timeout", words.timeout);
  }
  if (words.given("--timeout") && settings.timeout.count() == 0 && settings.timeout_percent == 0)
    refuse("--timeout", words.timeout, "leave the option out for no limit");
  settings.deadline = duration("--deadline", words.deadline);
  if (words.given("--deadline") && settings.deadline.count() == 0)
    refuse("--deadline", words.deadline, "leave the option out for no limit");
  settings.tasks.spacing = duration("--delay", words.delay);
  settings.retries = static_cast<unsigned>(count(words, "--retries", words.retries, 0, 0, 1'000'000));
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
  if (words.given("--retry-on")) {
    if (settings.retries == 0) throw UsageError("--retry-on has no effect without --retries N");
    const auto on = parse_retry_on(words.retry_on);
    if (!on) refuse("--retry-on", words.retry_on, "write some of fail,crash,timeout,oom,exit=N with commas between");
    settings.retry_on = *on;
  }
  if (words.given("--load")) {
    const auto load = parse_number(words.load);
    if (!load || *load <= 0) refuse("--load", words.load, "write a load average above 0, like 1.5");
    settings.most_load = *load;
  }
  if (words.given("--mem-free")) {
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

void understand_term_sequence(const WrittenOptions& words, Subcommand which, Settings& settings) {
  const auto steps = parse_term_sequence(words.term_seq);
  if (!steps) refuse("--term-seq", words.term_seq, "write signals and waits in turn, like TERM,10s,KILL");
  const bool plain = steps->size() == 2 && steps->front().signal == SIGTERM;
  if ((which == Subcommand::call || which == Subcommand::batch) && !plain)
    refuse("--term-seq", words.term_seq, "workers are ended by TERM, a wait and KILL, like TERM,10s,KILL");
  settings.end_steps = *steps;
}

void understand_limits(const WrittenOptions& words, Subcommand which, Settings& settings) {
  if (words.given("--term-seq")) understand_term_sequence(words, which, settings);
  settings.limits.memory = size(words, "--mem-max", words.mem_max);
  settings.limits.cpu_time = duration("--cpu-time", words.cpu_time);
  if (words.given("--cpu-time") && settings.limits.cpu_time.count() == 0)
    refuse("--cpu-time", words.cpu_time, "leave the option out for no limit");
  settings.limits.file_size = size(words, "--fsize", words.fsize);
  settings.limits.open_files = static_cast<unsigned>(count(words, "--nofile", words.nofile, 0, 1, 1u << 30));
  settings.limits.output = size(words, "--output-max", words.output_max);
  if (settings.limits.output != 0 && words.ungroup)
    throw UsageError(
        "--output-max counts what passes through Bulkhead, and with --ungroup nothing does; "
        "use --line-buffer");
}

void understand_workers(const WrittenOptions& words, Settings& settings) {
  settings.recycle = count(words, "--recycle", words.recycle, 0, 1, 1'000'000'000);
  settings.crash_limit = count(words, "--crash-limit", words.crash_limit, 0, 1, 1'000'000'000);
}

// Behind a sign as well, which parse_count() does not take.
void understand_niceness(const std::string& text, Settings& settings) {
  constexpr int least = -20, most = 19;
  if (text.empty()) return;
  const bool negative = text.front() == '-';
  const auto parsed = parse_count(std::string_view(text).substr(negative ? 1 : 0));
  const int value = parsed && *parsed <= 20 ? static_cast<int>(*parsed) * (negative ? -1 : 1) : most + 1;
  if (value < least || value > most)
    refuse("--nice", text, fmt::format("write a whole number from {} to {}", least, most));
  settings.niceness = value;
}

void understand_isolation(const WrittenOptions& words, Subcommand which, Settings& settings) {
  settings.isolation =
      one_of<Isolation>("--isolate", words.isolation,
                        {{"contained", Isolation::contained}, {"pid", Isolation::pid}, {"strict", Isolation::strict}},
                        Isolation::contained);
  if (settings.timeout_percent > 0 && which != Subcommand::run)
    refuse("--timeout", words.timeout, "a share of the median is for bulkhead run; write a duration");
}

}  // namespace

void understand_running(const WrittenOptions& words, Subcommand which, Settings& settings) {
  understand_pace(words, settings);
  understand_isolation(words, which, settings);
  understand_limits(words, which, settings);
  understand_workers(words, settings);
  understand_niceness(words.niceness, settings);
}

}  // namespace bulkhead::tool
