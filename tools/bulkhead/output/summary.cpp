#include "output/summary.hpp"

#include "words/as_number.hpp"
#include "words/quantity.hpp"
#include "words/shell_quote.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace bulkhead::tool {

void Tally::add(const Attempt& attempt) {
  if (attempt.leaked) ++leaked;
  switch (attempt.end) {
    case TaskEnd::ok:
      ++ok;
      return;
    case TaskEnd::left_over:
      ++left_over;
      return;
    case TaskEnd::failed:
      ++failed;
      break;
    case TaskEnd::crashed:
      ++crashed;
      break;
    case TaskEnd::timed_out:
      ++timed_out;
      break;
    case TaskEnd::out_of_memory:
      ++out_of_memory;
      break;
  }
  std::string stack;
  if (attempt.end == TaskEnd::crashed)
    for (const std::string& frame : attempt.backtrace) stack += frame + "\n";
  if (!stack.empty()) {
    const auto same = std::find_if(notes.begin(), notes.end(), [&](const Note& note) { return note.stack == stack; });
    if (same != notes.end()) {
      ++same->count;
      return;
    }
  }
  if (notes.size() < most_notes)
    notes.push_back({attempt.task.sequence,
                     attempt.task.attempt,
                     joined_record(attempt.task),
                     attempt.words,
                     attempt.error_tail,
                     {},
                     std::move(stack)});
}

std::uint64_t Tally::noted() const noexcept {
  std::uint64_t all = 0;
  for (const Note& note : notes) all += note.count;
  return all;
}

namespace {

constexpr const char* red = "\x1b[31m";
constexpr const char* green = "\x1b[32m";
constexpr const char* uncolored = "\x1b[0m";

std::string paint(const std::string& text, const char* color, bool colored) {
  return colored ? color + text + uncolored : text;
}

std::string counts(const Tally& tally, bool unread, bool colored) {
  std::string text = paint(fmt::format("{} ok", tally.ok), green, colored && tally.ok > 0);
  const auto add = [&](std::uint64_t count, std::string_view what, bool bad) {
    if (count > 0) text += ", " + paint(fmt::format("{} {}", count, what), red, colored && bad);
  };
  add(tally.failed, "failed", true);
  add(tally.crashed, "crashed", true);
  add(tally.timed_out, "timed out", true);
  add(tally.out_of_memory, "out of memory", true);
  add(tally.retried, tally.retried == 1 ? "attempt retried" : "attempts retried", false);
  add(tally.leaked, "left processes running (LEAK; they were ended)", false);
  add(tally.skipped, "skipped", false);
  add(tally.left_over, "left over", true);
  if (unread) text += ", the rest of the input not read";
  return text;
}

std::string describe(const Tally::Note& note, bool colored) {
  std::string text =
      fmt::format("  {}  #{} {}", paint(printable(note.words), red, colored), note.sequence, printable(note.record));
  if (note.attempts > 1) text += fmt::format("  ({} attempts)", note.attempts);
  if (note.count > 1) text += fmt::format("  (and {} more with this stack)", note.count - 1);
  text += '\n';
  std::string_view rest = note.error_tail;
  while (!rest.empty()) {
    const std::size_t newline = std::min(rest.find('\n'), rest.size());
    text += fmt::format("      {}\n", printable(rest.substr(0, newline)));
    rest.remove_prefix(std::min(newline + 1, rest.size()));
  }
  return text;
}

}  // namespace

std::string summarize(const Tally& tally, std::chrono::nanoseconds wall, bool unread, const std::string& joblog,
                      bool colored, const std::string& program) {
  const double seconds = as_seconds(wall);
  const double rate = seconds > 0 ? static_cast<double>(tally.finished()) / seconds : 0;
  std::string text = fmt::format("{}: {} in {} ({:.1f} tasks/s)\n", program, counts(tally, unread, colored),
                                 describe_duration(wall), rate);
  for (const Tally::Note& note : tally.notes) text += describe(note, colored);
  if (tally.unsuccessful() > tally.noted())
    text += fmt::format("  and {} more; --joblog has them all\n", tally.unsuccessful() - tally.noted());
  if (!tally.notes.empty() && !tally.notes.front().command.empty())
    text += fmt::format("  again, alone: {}\n", tally.notes.front().command);
  else if (!tally.notes.empty() && !joblog.empty())
    text += fmt::format("  again, alone: bulkhead replay {} {}\n", shell_quote(joblog), tally.notes.front().sequence);
  return text;
}

int exit_status(const RunEnd& end, const Tally& tally, ExitCodeMode mode) {
  if (end.signal != 0) return 128 + end.signal;
  if (end.write_failed) return 5;
  if (end.deadline) return 124;
  if (end.halted) return mode == ExitCodeMode::task ? end.halt_status : 3;
  const bool all_well = tally.unsuccessful() == 0 && tally.left_over == 0 && !end.input_failed;
  if (mode == ExitCodeMode::count && (tally.unsuccessful() > 0 || all_well))
    return static_cast<int>(std::min<std::uint64_t>(tally.unsuccessful(), 101));
  return all_well ? 0 : 1;
}

}  // namespace bulkhead::tool
