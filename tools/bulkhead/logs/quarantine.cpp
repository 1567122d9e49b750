#include "logs/quarantine.hpp"

#include "logs/written_files.hpp"
#include "records/records.hpp"

#include <bulkhead/byte_source.hpp>

#include <fmt/format.h>

#include <filesystem>

namespace bulkhead::tool {

namespace {

// Up to the end of the last record that has its delimiter: a run may have ended in the middle of one.
std::uint64_t whole_part(const std::string& path, const std::string& delimiter, std::uint64_t size) {
  RecordReader reader(ByteSource::open(path), delimiter);
  std::uint64_t whole = 0;
  for (std::string record; reader.next(record, true) == Fetch::record;) {
    const std::uint64_t end = whole + record.size() + delimiter.size();
    if (end > size) break;
    whole = end;
  }
  return whole;
}

}  // namespace

Quarantine::Quarantine(const Settings& settings, Console& console)
    : settings_(settings), console_(console), log_(open_alone("--quarantine", settings.quarantine)) {
  const std::uint64_t size = log_.size();
  if (size == 0) return;  // also what is no file, and has no end to be cut
  const bool keep = settings.resume == ResumeMode::all;
  const std::uint64_t whole = keep ? whole_part(log_.path(), settings.delimiter, size) : 0;
  std::filesystem::resize_file(log_.path(), whole);
  empty_ = whole == 0;
}

void Quarantine::add(const Task& task, const std::string& header) {
  warn(task);
  std::string text;
  if (std::exchange(empty_, false) && !header.empty()) text = header + settings_.delimiter;
  for (const std::string& record : task.extras().texts) text += record + settings_.delimiter;
  log_.append(text);
}

// What would be read differently, said once.
void Quarantine::warn(const Task& task) {
  if (warned_ || settings_.quiet) return;
  for (const std::string& record : task.extras().texts) {
    if (record.find(settings_.delimiter) == std::string::npos) continue;
    warned_ = true;
    console_.say(fmt::format("--quarantine: record #{} holds a delimiter and will be read as two; use -0 or another -d",
                             task.sequence));
    return;
  }
  if (settings_.sources.size() < 2) return;
  warned_ = true;
  console_.say(fmt::format(
      "--quarantine: the values in {} have TABs between them; feed it in again with --colsep '\\t'", log_.path()));
}

}  // namespace bulkhead::tool
