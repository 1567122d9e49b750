// What a job log says has been done: for --resume.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

/// The last word of a log on every task in it, in sixteen bytes a line, whatever its number. Lines that are not whole
/// or make no sense do not count: their task is run again.
class JobLogHistory {
 public:
  /// Tasks start in the order of their numbers, so below a number that is logged only those are missing that were
  /// still running, or dealt to a worker. No run has more of them; a number further ahead is damage.
  static constexpr std::uint64_t most_missing = 1 << 20;

  /// Throws std::system_error naming a file that cannot be read.
  explicit JobLogHistory(const std::string& path);

  /// The highest sequence number that counts; 0: none.
  std::uint64_t last() const noexcept { return entries_.empty() ? 0 : entries_.back().sequence; }
  /// The first of the numbers that do not, being too far ahead.
  std::optional<std::uint64_t> damaged() const noexcept { return damaged_; }
  bool logged(std::uint64_t sequence) const noexcept { return find(sequence) != nullptr; }
  bool succeeded(std::uint64_t sequence) const noexcept;
  /// Whether this is the command that was logged, by a hash of it.
  bool matches(std::uint64_t sequence, std::string_view command) const noexcept;

 private:
  struct Entry {
    std::uint64_t sequence, said;  // a hash of the command, and in its lowest bit whether it succeeded
  };
  const Entry* find(std::uint64_t sequence) const noexcept;
  void take(std::string_view line);
  void keep_last_words();

  std::vector<Entry> entries_;  // by sequence, each once
  std::optional<std::uint64_t> damaged_;
};

/// The command that stands last for this task; empty: none does.
std::string logged_command(const std::string& path, std::uint64_t sequence);
/// The number of the line, from 1, that stands last for this task; 0: none does.
std::size_t logged_line(const std::string& path, std::uint64_t sequence);

}  // namespace bulkhead::tool
