#include "program_image.hpp"

#include "os/pid_namespace.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace bulkhead {

namespace fs = std::filesystem;

namespace {

std::string_view name_of(std::string_view assignment) { return assignment.substr(0, assignment.find('=')); }

bool has_nul(const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(), [](const std::string& w) { return w.find('\0') != w.npos; });
}

// The mounts that make its places writable lie over those in which we are: it enters its directory by name.
int prepare_sandbox(const Command& command, PreparedProgram& program) try {
  std::vector<std::string> writable;
  for (const std::string& path : command.writable_paths) writable.push_back(fs::canonical(path));
  program.sandbox = std::make_unique<os::ProgramSandbox>(std::move(writable));
  program.image.sandbox = program.sandbox.get();
  program.image.directory = fs::absolute(command.directory.empty() ? "." : command.directory);
  return 0;
} catch (const std::system_error& error) {
  program.problem = error.what();
  return error.code().value();
}

void refuse_unguarded(const Command& command) {
  if (const std::string lack = os::lack_of_program_sandbox(); !lack.empty())
    throw std::system_error(ENOTSUP, std::generic_category(), lack);
  for (const std::string& path : command.writable_paths) {
    std::error_code missing;
    const fs::path place = fs::canonical(path, missing);
    if (missing) throw std::invalid_argument("the writable path " + path + ": " + missing.message());
    if (place == "/") throw std::invalid_argument("the writable path " + path + " is all of the file system");
  }
}

}  // namespace

std::vector<const char*> environment_of(const Command& command) {
  std::vector<const char*> all = command.clear_environment ? std::vector<const char*>() : os::own_environment();
  std::erase_if(all, [&](const char* ours) {
    return std::any_of(command.environment.begin(), command.environment.end(),
                       [&](const std::string& theirs) { return name_of(ours) == name_of(theirs); });
  });
  for (const std::string& assignment : command.environment) all.push_back(assignment.c_str());
  all.push_back(nullptr);
  return all;
}

const char* path_of(const std::vector<const char*>& environment) {
  for (const char* assignment : environment)
    if (assignment && std::string_view(assignment).starts_with("PATH=")) return assignment + 5;
  return nullptr;
}

// KILL ends it in any case.
std::vector<EndStep> end_steps_of(const Command& command) {
  std::vector<EndStep> steps = command.end_steps;
  if (steps.empty() || steps.back().signal != SIGKILL) steps.push_back({.signal = SIGKILL});
  return steps;
}

int shell_code(int start_error) noexcept { return start_error == ENOENT || start_error == ENOTDIR ? 127 : 126; }

int prepare(const Command& command, PreparedProgram& program) {
  os::ProgramImage& image = program.image;
  if (command.arguments.empty()) return ENOENT;
  if (has_nul(command.arguments) || has_nul(command.environment)) return EINVAL;
  image.arguments = command.arguments;
  image.environment = environment_of(command);
  image.directory = command.directory;
  image.niceness = command.niceness;
  image.file_size = command.limits.file_size;
  image.open_files = command.limits.open_files;
  image.path = os::find_program(command.arguments.front(), path_of(image.environment), command.directory);
  if (image.path.empty()) return ENOENT;
  image.own_namespace = command.isolation != Isolation::contained;
  return command.isolation == Isolation::strict ? prepare_sandbox(command, program) : 0;
}

std::vector<std::string> try_isolation(const Command& command) {
  if (command.isolation == Isolation::contained) return {};
  os::require_own_proc();
  PreparedProgram program;
  if (command.isolation == Isolation::strict) {
    refuse_unguarded(command);
    if (const int error = prepare_sandbox(command, program); error != 0)
      throw std::system_error(error, std::generic_category(), program.problem);
  }
  program.image.own_namespace = program.image.only_try = true;
  const os::KeepChildStatuses keep;
  os::Spawned tried = os::spawn(program.image);
  if (tried.pid == 0) throw std::system_error(tried.error, std::generic_category(), tried.problem);
  os::collect(tried, false);
  return command.isolation == Isolation::strict ? os::gaps_of_program_sandbox() : std::vector<std::string>();
}

}  // namespace bulkhead
