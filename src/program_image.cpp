#include "program_image.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace bulkhead {

namespace {

std::string_view name_of(std::string_view assignment) { return assignment.substr(0, assignment.find('=')); }

bool has_nul(const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(), [](const std::string& w) { return w.find('\0') != w.npos; });
}

}  // namespace

std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> all = command.clear_environment ? std::vector<std::string>() : os::own_environment();
  std::erase_if(all, [&](const std::string& ours) {
    return std::any_of(command.environment.begin(), command.environment.end(),
                       [&](const std::string& theirs) { return name_of(ours) == name_of(theirs); });
  });
  all.insert(all.end(), command.environment.begin(), command.environment.end());
  return all;
}

const char* path_of(const std::vector<std::string>& environment) {
  for (const std::string& assignment : environment)
    if (name_of(assignment) == "PATH") return assignment.c_str() + 5;
  return nullptr;
}

// KILL ends it in any case.
std::vector<EndStep> end_steps_of(const Command& command) {
  std::vector<EndStep> steps = command.end_steps;
  if (steps.empty() || steps.back().signal != SIGKILL) steps.push_back({.signal = SIGKILL});
  return steps;
}

int shell_code(int start_error) noexcept { return start_error == ENOENT || start_error == ENOTDIR ? 127 : 126; }

int prepare(const Command& command, os::ProgramImage& image) {
  if (command.arguments.empty()) return ENOENT;
  if (has_nul(command.arguments) || has_nul(command.environment)) return EINVAL;
  image.arguments = command.arguments;
  image.environment = environment_of(command);
  image.directory = command.directory;
  image.niceness = command.niceness;
  image.file_size = command.limits.file_size;
  image.open_files = command.limits.open_files;
  image.path = os::find_program(command.arguments.front(), path_of(image.environment), command.directory);
  return image.path.empty() ? ENOENT : 0;
}

}  // namespace bulkhead
