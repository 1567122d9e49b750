// The job log: GNU parallel's nine columns, one line a finished task, whole or not at all.
#pragma once

#include <bulkhead/append_log.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace bulkhead::tool {

struct JobLogEntry {
  std::uint64_t sequence = 0;
  std::chrono::nanoseconds started{};  ///< since 1970
  std::chrono::nanoseconds ran{};
  std::uint64_t received = 0;  ///< bytes of its standard output
  int exit_code = 0;           ///< -1: it has none of its own
  int signal = 0;
  std::string command;
};

/// The line with its newline. TAB, newline and backslash in the command are escaped, so it stays one line.
std::string format_entry(const JobLogEntry& entry);
/// True for nine columns, given without the newline.
bool is_whole_entry(std::string_view line);

/// The command of a whole line, as it was before it was escaped.
std::string command_of_entry(std::string_view line);

class JobLog {
 public:
  /// Opens it to continue: cuts a torn tail off, or writes the header of a new one. Throws UsageError for a file that
  /// is no job log or that another run is writing, std::system_error where the file cannot be had.
  explicit JobLog(const std::string& path);
  void append(const JobLogEntry& entry) { log_.append(format_entry(entry)); }
  /// Throws std::system_error where it was removed or replaced meanwhile.
  void check_in_place() const { log_.check_in_place(); }

 private:
  AppendLog log_;
};

}  // namespace bulkhead::tool
