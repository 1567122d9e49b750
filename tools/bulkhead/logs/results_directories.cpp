#include "logs/results_directories.hpp"

#include "logs/task_json.hpp"
#include "words/shell_quote.hpp"
#include "words/usage_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <system_error>
#include <utility>

namespace bulkhead::tool {

namespace {

// The slash at the end keeps a template that is nothing but {} one word, however many fields there are.
CommandTemplate make_template(const Settings& settings) {
  const TemplateRules rules{.replace = settings.replace, .path = true, .columns = settings.columns};
  CommandTemplate as_given({settings.results + "/"}, rules);
  const std::string none;
  const bool has_place = as_given.arguments({.fields = std::span(&none, 1)}).size() == 1;
  return has_place ? as_given : CommandTemplate({settings.results + "/{#}/"}, rules);
}

// Decidable are the sources: whether the values of one differ is seen when they come.
void refuse_one_for_many(const CommandTemplate& directories, const Settings& settings) {
  const auto refuse = [&](const std::string& why) {
    throw UsageError(
        fmt::format("--results: {} would give several tasks the same directory, {}; add {{#}}", settings.results, why));
  };
  constexpr std::size_t any = 1'000'000;
  if (!directories.tells_apart(1, any, any)) refuse("since {%} is the same for many");
  if (settings.column_separator || settings.tasks.jsonl || settings.tasks.records_per_task != 1) return;
  const std::size_t count = settings.sources.size();
  for (std::size_t i = 0; i < count;) {
    std::size_t next = i + 1;
    while (next < count && settings.sources[next].linked) ++next;
    const SourceSpec& source = settings.sources[i];
    const bool several = source.is_file || source.values.size() > (settings.header ? 2u : 1u);
    if (several && count > 1 && !directories.tells_apart(i + 1, next, count))
      refuse(fmt::format("since it has nothing of source {}", i + 1));
    i = next;
  }
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

ResultsDirectories::ResultsDirectories(const Settings& settings, Printer& printer, Console& console)
    : printer_(printer),
      console_(console),
      template_(make_template(settings)),
      resumes_(settings.resume != ResumeMode::none && !settings.resume_unchecked),
      quiet_(settings.quiet) {
  refuse_one_for_many(template_, settings);
}

// By another task of this run. What earlier runs left is written over, unless this run goes on with one of them.
bool ResultsDirectories::is_taken(const std::string& directory, std::uint64_t sequence) const {
  std::ifstream file(directory + "result.json", std::ios::binary);
  if (!file) return false;
  const auto result = nlohmann::json::parse(file, nullptr, false);
  if (!result.is_object() || !result.contains("seq") || result["seq"] == sequence) return false;
  return resumes_ || (result.contains("run_id") && result["run_id"] == run_id_);
}

// A second task for the same directory gets one beside it, by a name that no value can have.
std::string ResultsDirectories::directory_of(const Attempt& attempt) {
  const std::uint64_t sequence = attempt.task.sequence;
  const std::string wanted =
      template_.arguments({.fields = attempt.task.fields, .sequence = sequence, .slot = attempt.slot + 1}).front();
  if (!is_taken(wanted, sequence)) return wanted;
  const std::string beside = fmt::format("{}%#{}/", wanted.substr(0, wanted.find_last_not_of('/') + 1), sequence);
  if (!quiet_ && !std::exchange(warned_, true))
    console_.say(fmt::format("--results: {} has another task's results already; those of task {} are in {}",
                             printable(wanted), sequence, printable(beside)));
  return beside;
}

void ResultsDirectories::task_finished(const Attempt& attempt, const std::string& command) {
  const bool never_ran = attempt.end == TaskEnd::left_over && attempt.ran.count() == 0;
  if (!attempt.dropped && !never_ran) write(attempt, command);
}

// result.json comes last and whole: where it stands, the others are whole too.
void ResultsDirectories::write(const Attempt& attempt, const std::string& command) {
  const std::string directory = directory_of(attempt), result = directory + "result.json";
  std::filesystem::create_directories(directory);
  std::filesystem::remove(result);
  write_file(directory + "stdout", [&](std::ofstream& file) {
    file << attempt.result;
    if (printer_.stores()) copy(printer_.files(attempt.slot).output, attempt.output, file);
  });
  write_file(directory + "stderr", [&](std::ofstream& file) {
    if (printer_.stores()) copy(printer_.files(attempt.slot).error, attempt.error, file);
  });
  nlohmann::ordered_json object = describe_as_json(attempt, command);
  object["run_id"] = run_id_;
  write_file(result + ".part", [&](std::ofstream& file) { file << one_line(object) << '\n'; });
  std::filesystem::rename(result + ".part", result);
}

}  // namespace bulkhead::tool
