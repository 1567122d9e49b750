#include "runs/isolation.hpp"

#include "words/usage_error.hpp"

#include <bulkhead/work.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace bulkhead::tool {

namespace {

const char* name_of(Isolation isolation) { return isolation == Isolation::strict ? "strict" : "pid"; }

// As the tasks will find it in their environment.
std::string temporary_directory(const Settings& settings) {
  constexpr std::string_view name = "TMPDIR=";
  const char* const ours = settings.clear_environment ? nullptr : std::getenv("TMPDIR");
  std::string found = ours == nullptr ? "" : ours;
  for (const std::string& assignment : settings.environment)
    if (assignment.starts_with(name)) found = assignment.substr(name.size());
  return found.empty() ? "/tmp" : found;
}

std::vector<std::string> writable_paths(const Settings& settings) {
  std::vector<std::string> paths{settings.directory.empty() ? "." : settings.directory};
  std::error_code ignored;
  if (const std::string temporary = temporary_directory(settings); std::filesystem::exists(temporary, ignored))
    paths.push_back(temporary);
  return paths;
}

}  // namespace

Command program_command(const Settings& settings) {
  Command command;
  command.environment = settings.environment;
  command.clear_environment = settings.clear_environment;
  command.directory = settings.directory;
  command.niceness = settings.niceness;
  command.timeout = settings.timeout;
  command.limits = settings.limits;
  command.end_steps = settings.end_steps;
  command.owns_children = true;
  return command;
}

std::vector<std::string> isolate(const Settings& settings, Command& command) {
  command.isolation = settings.isolation;
  if (settings.isolation == Isolation::strict) command.writable_paths = writable_paths(settings);
  try {
    return try_isolation(command);
  } catch (const std::system_error& error) {
    throw UsageError(fmt::format("--isolate {}: {}", name_of(settings.isolation), error.what()));
  } catch (const std::invalid_argument& error) {
    throw UsageError(
        fmt::format("--isolate strict: {}; tasks may write below their working directory, which --cwd "
                    "names, and below TMPDIR",
                    error.what()));
  }
}

void try_isolation_of_workers(const Settings& settings) {
  if (settings.isolation == Isolation::contained) return;
  try {
    do_process_work(std::vector<int>{1}, [](int n) { return n; }, {.num_workers = 1, .isolation = settings.isolation});
  } catch (const std::system_error& error) {
    throw UsageError(fmt::format("--isolate {}: {}", name_of(settings.isolation), error.what()));
  }
}

}  // namespace bulkhead::tool
