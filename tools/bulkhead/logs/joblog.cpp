#include "logs/joblog.hpp"

#include "logs/written_files.hpp"
#include "words/as_number.hpp"
#include "words/usage_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace bulkhead::tool {

namespace {

constexpr std::string_view header_line = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

std::string escaped_field(std::string_view command) {
  std::string text;
  for (char c : command) {
    switch (c) {
      case '\t':
        text += "\\t";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\\':
        text += "\\\\";
        break;
      default:
        text += c;
    }
  }
  return text;
}

AppendLog open_log(const std::string& path) {
  std::error_code ignored;
  const auto kind = std::filesystem::status(path, ignored).type();
  if (kind == std::filesystem::file_type::directory || kind == std::filesystem::file_type::fifo)
    throw UsageError("--joblog: " + path + " is a " +
                     (kind == std::filesystem::file_type::fifo ? "pipe" : "directory") + "; name a file");
  return open_alone("--joblog", path);
}

}  // namespace

std::string format_entry(const JobLogEntry& entry) {
  return fmt::format("{}\t:\t{:.3f}\t{:.3f}\t0\t{}\t{}\t{}\t{}\n", entry.sequence, as_seconds(entry.started),
                     as_seconds(entry.ran), entry.received, entry.exit_code, entry.signal,
                     escaped_field(entry.command));
}

bool is_whole_entry(std::string_view line) { return std::count(line.begin(), line.end(), '\t') >= 8; }

std::string command_of_entry(std::string_view line) {
  constexpr int columns_before = 8;
  for (int i = 0; i < columns_before; ++i) line.remove_prefix(line.find('\t') + 1);
  std::string command;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\' || i + 1 == line.size()) {
      command += line[i];
      continue;
    }
    const char escaped = line[++i];
    command += escaped == 't' ? '\t' : escaped == 'n' ? '\n' : escaped;
  }
  return command;
}

JobLog::JobLog(const std::string& path) : log_(open_log(path)) {
  const std::string begin = log_.head(header_line.size());
  if (!header_line.starts_with(begin))  // ours, or one that ended while its header was being written
    throw UsageError("--joblog: " + path + " exists and is not a job log; name another file");
  log_.cut_torn_tail(is_whole_entry);
  if (log_.size() == 0) log_.append(header_line);
}

}  // namespace bulkhead::tool
