#include "logs/results_directories.hpp"

#include "logs/task_json.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <system_error>

namespace bulkhead::tool {

namespace {

// The slash at the end keeps a template that is nothing but {} one word, however many fields there are.
CommandTemplate make_template(const Settings& settings) {
  const TemplateRules rules{.replace = settings.replace, .path = true};
  CommandTemplate as_given({settings.results + "/"}, rules);
  const std::string none;
  const bool has_place = as_given.arguments({.fields = std::span(&none, 1)}).size() == 1;
  return has_place ? as_given : CommandTemplate({settings.results + "/{#}/"}, rules);
}

void write_file(const std::string& path, const std::function<void(std::ofstream&)>& fill) {
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  if (file) fill(file);
  file.close();
  if (!file) throw std::system_error(errno, std::generic_category(), "cannot write to " + path);
}

void copy(const TaskOutput& from, ByteRange range, std::ofstream& to) {
  std::array<char, 64 << 10> chunk;
  for (std::uint64_t at = range.begin; at < range.end && to;) {
    const std::size_t wanted = std::min<std::uint64_t>(chunk.size(), range.end - at);
    const std::size_t got = from.read(at, std::span(chunk).first(wanted));
    if (got == 0) return;
    to.write(chunk.data(), static_cast<std::streamsize>(got));
    at += got;
  }
}

}  // namespace

ResultsDirectories::ResultsDirectories(const Settings& settings, Printer& printer)
    : printer_(printer), template_(make_template(settings)) {}

std::string ResultsDirectories::directory_of(const Attempt& attempt) const {
  return template_
      .arguments({.fields = attempt.task.fields, .sequence = attempt.task.sequence, .slot = attempt.slot + 1})
      .front();
}

void ResultsDirectories::task_finished(const Attempt& attempt, const std::string& command) {
  const bool never_ran = attempt.end == TaskEnd::left_over && attempt.ran.count() == 0;
  if (!attempt.dropped && !never_ran) write(attempt, command);
}

void ResultsDirectories::write(const Attempt& attempt, const std::string& command) {
  const std::string directory = directory_of(attempt);
  std::filesystem::create_directories(directory);
  write_file(directory + "stdout", [&](std::ofstream& file) {
    file << attempt.result;
    if (printer_.stores()) copy(printer_.files(attempt.slot).output, attempt.output, file);
  });
  write_file(directory + "stderr", [&](std::ofstream& file) {
    if (printer_.stores()) copy(printer_.files(attempt.slot).error, attempt.error, file);
  });
  write_file(directory + "result.json",
             [&](std::ofstream& file) { file << one_line(describe_as_json(attempt, command)) << '\n'; });
}

}  // namespace bulkhead::tool
