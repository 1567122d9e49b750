// bulkhead: parse, build, run, report.
#include "command_line/command_line.hpp"
#include "command_line/completions.hpp"
#include "command_line/manual_page.hpp"
#include "logs/report.hpp"
#include "runs/call.hpp"
#include "runs/call_program.hpp"
#include "runs/coprocess.hpp"
#include "runs/doctor.hpp"
#include "runs/program_frame.hpp"
#include "runs/replay.hpp"
#include "runs/run.hpp"
#include "words/nearest.hpp"
#include "words/usage_error.hpp"

#include <string>
#include <vector>

namespace {

using namespace bulkhead::tool;

constexpr const char* help_text = R"(Bulkhead runs work that may crash: a crash costs only its own task.

  bulkhead run gzip -9 ::: *.log        a program per record
  bulkhead run < commands.txt           a shell command per line
  bulkhead call ./square.so ::: 1 2 3   a compiled function per record
  bulkhead coprocess ./score < lines    a line per record to long-lived programs
  bulkhead report EVENTS -o PAGE.html   a page about a run, from its --events

  bulkhead replay jobs.tsv 12           task 12 of a job log again, alone
  bulkhead doctor                       what this machine offers
  bulkhead completions bash             a script for bash, zsh or fish
  bulkhead man                          the manual page: bulkhead man | man -l -

  bulkhead run -h                       the most used options; --help has all
  bulkhead --version

Exit status: 0 all tasks succeeded, 1 some did not, 2 usage, 3 stopped by --halt
or --crash-limit, 5 a log or output could not be written, 70 internal error,
124 --deadline, 128+n ended by signal n, 141 standard output's reader has gone.
)";

// BULKHEAD_CALL_PROGRAM_PLACES: where bulkhead-call may be. Not defined: plugins are loaded here.
int call_plugin(const std::vector<std::string>& words) {
#ifdef BULKHEAD_CALL_PROGRAM_PLACES
  become_call_program({BULKHEAD_CALL_PROGRAM_PLACES}, words);
#else
  return call(words);
#endif
}

int dispatch(const std::vector<std::string>& words) {
  const std::string name = words.empty() ? std::string() : words.front();
  if (name == "-h" || name == "--help" || name == "help") return say(help_text);
  if (words.size() > 1 && (name == "doctor" || name == "man" || name == "--version"))
    throw UsageError(name + " takes nothing else; write bulkhead " + name);
  if (name == "--version") return say("bulkhead " BULKHEAD_VERSION "\n");
  if (name == "report") {
    std::string help;
    const int status = report({words.begin() + 1, words.end()}, help);
    return help.empty() ? status : say(help);
  }
  if (name == "replay") return replay({words.begin() + 1, words.end()});
  if (name == "doctor") return say(diagnosis());
  if (name == "completions") return say(completion_script({words.begin() + 1, words.end()}));
  if (name == "man") return say(manual_page());
  if (name == "call") return call_plugin({words.begin() + 1, words.end()});
  if (name != "run" && name != "coprocess") {
    const std::string meant = nearest(
        name, {"run", "call", "coprocess", "replay", "doctor", "report", "completions", "man", "--help", "--version"});
    throw UsageError(
        (name.empty() ? "say what to do" : "there is no subcommand \"" + name + "\"") +
        (meant.empty() ? "; write bulkhead run COMMAND, or bulkhead --help" : "; did you mean " + meant + "?"));
  }
  const Subcommand which = name == "run" ? Subcommand::run : Subcommand::coprocess;
  std::string help;
  const auto settings = parse_command_line(which, {words.begin() + 1, words.end()}, help);
  if (!settings) return say(help);
  return which == Subcommand::run ? run(*settings) : coprocess(*settings);
}

}  // namespace

int main(int argc, char** argv) {
  return framed("bulkhead", [&] { return dispatch({argv + 1, argv + argc}); });
}
