// What the page of `bulkhead report` tells of a run, read from the file of its events.
#pragma once

#include "logs/event_line.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace bulkhead::tool {

/// Each text once, and its number wherever it stands: a hundred thousand tasks end in few different words.
class TextNumbers {
 public:
  std::int64_t number_of(const std::string& text) {
    const auto [place, added] = numbers_.emplace(text, texts_.size());
    if (added) texts_.push_back(text);
    return static_cast<std::int64_t>(place->second);
  }
  const std::vector<std::string>& texts() const noexcept { return texts_; }

 private:
  std::unordered_map<std::string, std::size_t> numbers_;
  std::vector<std::string> texts_;
};

/// One attempt. Numbers of texts lead to the run's `kinds`, `tails` and `commands`.
struct ReportRow {
  std::int64_t seq = 0, attempt = 0, slot = 0;
  std::int64_t started = -1;  ///< microseconds since the run's begin; -1: it never was
  std::int64_t ran = 0;       ///< microseconds
  std::int64_t kind = 0, tail = 0, command = 0;
  std::int64_t bytes = -1;  ///< of its output; -1: not counted
  std::int64_t memory = 0;  ///< KiB at most; 0: not known
  std::string record{};
};

struct ReportRun {
  EventLine begin{}, end{};
  bool finished = false;             ///< it has a run_finished, which is `end`
  bool torn = false;                 ///< the file's last line is not whole and has been left out
  std::uint64_t number = 0, of = 0;  ///< which run of how many in the file, from 1
  std::uint64_t workers_died = 0;
  double last_time = 0;             ///< of the last event, in seconds since 1970
  std::vector<ReportRow> tasks{};   ///< by seq; what was in hand when the file ended has the ending "unfinished"
  std::vector<ReportRow> lost{};    ///< attempts that others followed
  TextNumbers kinds{};              ///< ending, words and stack, parted by NUL
  TextNumbers tails{}, commands{};  ///< 0 is the empty text; the commands of what went well are left out
};

/// `number`: which of several runs that were written one behind the other, from 1; 0: the last. Throws UsageError where
/// the file cannot be read, holds no such run, or has a line that is no event, which is named.
ReportRun read_run(const std::string& path, std::uint64_t number);

}  // namespace bulkhead::tool
