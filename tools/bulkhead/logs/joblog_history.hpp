// What a job log says has been done: for --resume.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

/// The last word of a log on every task in it, in eight bytes each. Lines that are not whole or make no sense do not
/// count: their task is run again.
class JobLogHistory {
 public:
  /// Throws std::system_error naming a file that cannot be read.
  explicit JobLogHistory(const std::string& path);

  /// The highest sequence number in it; 0: none.
  std::uint64_t last() const noexcept { return entries_.size(); }
  bool logged(std::uint64_t sequence) const noexcept { return entry(sequence) != 0; }
  bool succeeded(std::uint64_t sequence) const noexcept { return (entry(sequence) & success) != 0; }
  /// Whether this is the command that was logged, by a hash of it.
  bool matches(std::uint64_t sequence, std::string_view command) const noexcept;

 private:
  static constexpr std::uint64_t success = 1, present = 2;
  std::uint64_t entry(std::uint64_t sequence) const noexcept {
    return sequence == 0 || sequence > entries_.size() ? 0 : entries_[sequence - 1];
  }
  void take(std::string_view line);

  std::vector<std::uint64_t> entries_;  // a hash, and in its lowest bits what was said
};

/// The command that stands last for this task; empty: none does.
std::string logged_command(const std::string& path, std::uint64_t sequence);

}  // namespace bulkhead::tool
