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

constexpr std::uint64_t highest_sequence = 1'000'000'000;  // beyond it a line is damage, and not eight gigabytes

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash & ~std::uint64_t{3};
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
  if (!sequence || *sequence == 0 || *sequence > highest_sequence) return std::nullopt;
  if (!whole(columns[6], exit_code) || !whole(columns[7], signal)) return std::nullopt;
  return Line{*sequence, exit_code == 0 && signal == 0};
}

template <class Use>
void for_each_line(const std::string& path, Use use) {
  std::ifstream log(path, std::ios::binary);
  if (!log) throw std::system_error(errno, std::generic_category(), "cannot read " + path);
  for (std::string line; std::getline(log, line) && !log.eof();) use(line);  // without its newline it is not whole
}

}  // namespace

JobLogHistory::JobLogHistory(const std::string& path) {
  for_each_line(path, [this](const std::string& line) { take(line); });
}

void JobLogHistory::take(std::string_view line) {
  const std::optional<Line> parsed = parse(line);
  if (!parsed) return;
  if (parsed->sequence > entries_.size()) entries_.resize(parsed->sequence);
  entries_[parsed->sequence - 1] = hash_of(command_of_entry(line)) | present | (parsed->succeeded ? success : 0);
}

bool JobLogHistory::matches(std::uint64_t sequence, std::string_view command) const noexcept {
  return (entry(sequence) & ~std::uint64_t{3}) == hash_of(command);
}

std::string logged_command(const std::string& path, std::uint64_t sequence) {
  std::string command;
  for_each_line(path, [&](const std::string& line) {
    if (const auto parsed = parse(line); parsed && parsed->sequence == sequence) command = command_of_entry(line);
  });
  return command;
}

}  // namespace bulkhead::tool
