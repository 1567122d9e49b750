#include "logs/joblog_history.hpp"

#include "logs/joblog.hpp"
#include "words/quantity.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <system_error>

namespace bulkhead::tool {

namespace {

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash & ~std::uint64_t{1};
}

struct Line {
  std::uint64_t sequence = 0;
  bool succeeded = false;
};

std::optional<Line> parse(std::string_view line) {
  if (!is_whole_entry(line) || std::count(line.begin(), line.end(), '\t') != 8)
    return std::nullopt;  // two torn into one
  std::array<std::string_view, 8> columns;
  for (std::string_view& column : columns) {
    const std::size_t tab = line.find('\t');
    column = line.substr(0, tab);
    line.remove_prefix(tab + 1);
  }
  const auto sequence = parse_count(columns[0]);
  int exit_code = 0, signal = 0;
  const auto whole = [](std::string_view text, int& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
  };
  if (!sequence || *sequence == 0) return std::nullopt;
  if (!whole(columns[6], exit_code) || !whole(columns[7], signal)) return std::nullopt;
  return Line{*sequence, exit_code == 0 && signal == 0};
}

template <class Use>
void for_each_line(const std::string& path, Use use) {
  std::ifstream log(path, std::ios::binary);
  if (!log) throw std::system_error(errno, std::generic_category(), "cannot read " + path);
  for (std::string line; std::getline(log, line) && !log.eof();) use(line);  // without its newline it is not whole
  if (log.bad()) throw std::system_error(errno, std::generic_category(), "cannot read " + path);
}

}  // namespace

JobLogHistory::JobLogHistory(const std::string& path) {
  for_each_line(path, [this](const std::string& line) { take(line); });
  keep_last_words();
  for (std::size_t before = 0; before < entries_.size(); ++before) {
    if (entries_[before].sequence <= before + most_missing) continue;
    damaged_ = entries_[before].sequence;
    entries_.resize(before);
  }
}

void JobLogHistory::take(std::string_view line) {
  const std::optional<Line> parsed = parse(line);
  if (!parsed) return;
  entries_.push_back({parsed->sequence, hash_of(command_of_entry(line)) | (parsed->succeeded ? 1 : 0)});
}

void JobLogHistory::keep_last_words() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.sequence < b.sequence; });
  std::size_t kept = 0;
  for (const Entry& entry : entries_) {
    if (kept > 0 && entries_[kept - 1].sequence == entry.sequence) --kept;
    entries_[kept++] = entry;
  }
  entries_.resize(kept);
}

const JobLogHistory::Entry* JobLogHistory::find(std::uint64_t sequence) const noexcept {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), sequence,
                                   [](const Entry& entry, std::uint64_t wanted) { return entry.sequence < wanted; });
  return at == entries_.end() || at->sequence != sequence ? nullptr : &*at;
}

bool JobLogHistory::succeeded(std::uint64_t sequence) const noexcept {
  const Entry* const entry = find(sequence);
  return entry != nullptr && (entry->said & 1) != 0;
}

bool JobLogHistory::matches(std::uint64_t sequence, std::string_view command) const noexcept {
  const Entry* const entry = find(sequence);
  return entry != nullptr && (entry->said & ~std::uint64_t{1}) == hash_of(command);
}

std::string logged_command(const std::string& path, std::uint64_t sequence) {
  std::string command;
  for_each_line(path, [&](const std::string& line) {
    if (const auto parsed = parse(line); parsed && parsed->sequence == sequence) command = command_of_entry(line);
  });
  return command;
}

std::size_t logged_line(const std::string& path, std::uint64_t sequence) {
  std::size_t number = 0, found = 0;
  for_each_line(path, [&](const std::string& line) {
    ++number;
    if (const auto parsed = parse(line); parsed && parsed->sequence == sequence) found = number;
  });
  return found;
}

}  // namespace bulkhead::tool
