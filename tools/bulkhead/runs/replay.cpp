#include "runs/replay.hpp"

#include "logs/joblog_history.hpp"
#include "words/quantity.hpp"
#include "words/usage_error.hpp"

#include <bulkhead/command.hpp>

#include <fmt/format.h>

#include <optional>
#include <system_error>

namespace bulkhead::tool {

namespace {

constexpr const char* replay_usage = "bulkhead replay JOBLOG SEQ [--gdb]";

std::string command_in(const std::string& path, std::uint64_t sequence) {
  std::string command;
  try {
    command = logged_command(path, sequence);
  } catch (const std::system_error& error) {
    throw UsageError(fmt::format("replay: {}; name the file that --joblog wrote", error.what()));
  }
  if (command.empty())
    throw UsageError(fmt::format("replay: {} has no task {}; its first column has those there are", path, sequence));
  return command;
}

}  // namespace

int replay(const std::vector<std::string>& words) {
  std::vector<std::string> places;
  bool debugger = false;
  for (const std::string& word : words) {
    if (word == "--gdb")
      debugger = true;
    else if (word.size() > 1 && word.front() == '-')
      throw UsageError(fmt::format("replay: there is no option {}; write {}", word, replay_usage));
    else
      places.push_back(word);
  }
  const auto sequence = places.size() == 2 ? parse_count(places[1]) : std::nullopt;
  if (!sequence || *sequence == 0) throw UsageError(fmt::format("replay: write {}", replay_usage));
  const std::string command = command_in(places[0], *sequence);
  std::vector<std::string> program{"/bin/sh", "-c", command};
  if (debugger) {
    if (find_program("gdb").empty())
      throw UsageError("replay --gdb: there is no gdb here; install it, or leave --gdb out");
    // The shell hands over to the program, and the debugger follows it through that.
    program = {"gdb",     "-q", "-ex",  "set startup-with-shell off", "-ex", "set follow-fork-mode child", "--args",
               "/bin/sh", "-c", command};
  }
  become_program(program, {fmt::format("BULKHEAD_SEQ={}", *sequence), "BULKHEAD_SLOT=1", "BULKHEAD_ATTEMPT=1",
                           "BULKHEAD_RUN_ID=replay"});
}

}  // namespace bulkhead::tool
