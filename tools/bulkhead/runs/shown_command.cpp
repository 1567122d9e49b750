#include "runs/shown_command.hpp"

#include "words/shell_quote.hpp"

#include <string_view>

namespace bulkhead::tool {

namespace {

bool is_source_mark(std::string_view word) {
  if (word.ends_with('+')) word.remove_suffix(1);
  return word == ":::" || word == "::::";
}

}  // namespace

std::string command_of(const std::string& program, const Task& task) {
  if (task.fields.size() == 1 && is_source_mark(task.fields.front()))  // it would be taken for the beginning of values
    return "printf '%s\\0' " + shell_quote(task.fields.front()) + " | " + program + " -0";
  std::string command = program;
  for (const std::string& field : task.fields) command += " ::: " + shell_quote(field);
  return command;
}

}  // namespace bulkhead::tool
