#include "output/console.hpp"

#include "words/as_number.hpp"
#include "words/quantity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <system_error>
#include <utility>

namespace bulkhead::tool {

namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value && *value;
}
bool dumb_terminal() {
  const char* terminal = std::getenv("TERM");
  return !terminal || std::string_view(terminal) == "dumb";
}

bool want_color(ColorMode mode, bool terminal) {
  if (mode != ColorMode::automatic) return mode == ColorMode::always;
  if (is_set("NO_COLOR")) return false;
  const char* force = std::getenv("CLICOLOR_FORCE");
  if (force && *force && std::string_view(force) != "0") return true;
  return terminal && !dumb_terminal();
}

double rate(const Progress& progress) {
  const double seconds = as_seconds(progress.elapsed);
  return seconds > 0 ? static_cast<double>(progress.done) / seconds : 0;
}

std::string tail(const Progress& progress) {
  std::string text;
  if (progress.failed > 0) text += fmt::format(", {} failed", progress.failed);
  text += fmt::format(", {} running, {:.1f}/s", progress.running, rate(progress));
  if (progress.total && progress.done > 0 && *progress.total > progress.done) {
    const double left = static_cast<double>(*progress.total - progress.done) / rate(progress);
    if (left < 1e9)
      text += fmt::format(
          ", {} to go",
          describe_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(left))));
  }
  return text;
}

}  // namespace

std::string describe(const Progress& progress) {
  const std::string total = progress.total ? fmt::format(" of {}", *progress.total) : std::string();
  return fmt::format("{}{} done{}", progress.done, total, tail(progress));
}

std::string draw_bar(const Progress& progress, unsigned columns) {
  std::string text = describe(progress);
  const std::size_t width = columns > 1 ? columns - 1 : 1;  // the last column would wrap on some terminals
  if (progress.total && *progress.total > 0 && width > text.size() + 13) {
    const std::size_t room = std::min<std::size_t>(width - text.size() - 3, 40);
    const std::size_t full =
        static_cast<std::size_t>(std::min<std::uint64_t>(progress.done, *progress.total) * room / *progress.total);
    text = "[" + std::string(full, '#') + std::string(room - full, '.') + "] " + text;
  }
  return text.substr(0, width);
}

Console::Console(const Settings& settings) : program_(settings.program) {
  const bool terminal = error_.is_terminal();
  colored_ = want_color(settings.color, terminal);
  switch (settings.progress) {
    case ProgressMode::automatic:
      // Ungrouped tasks write to the terminal themselves, and nobody erases the bar before they do.
      display_ =
          terminal && !dumb_terminal() && settings.output != OutputMode::ungrouped ? Display::bar : Display::plain;
      break;
    case ProgressMode::bar:
      display_ = Display::bar;
      break;
    case ProgressMode::plain:
      display_ = Display::plain;
      break;
    case ProgressMode::none:
      break;
  }
  if (settings.quiet && settings.progress == ProgressMode::automatic) display_ = Display::none;
}

Console::~Console() { erase_bar(); }

// The cursor rests before the bar: however narrow the terminal has become, and into how many rows it has broken the bar
// since, all of them lie behind the cursor.
void Console::erase_bar() {
  if (!bar_drawn_) return;
  bar_drawn_ = false;
  if (!error_.in_foreground()) return;  // the shell has written there since
  try {
    error_.write_some("\r\x1b[J");
  } catch (const std::system_error&) {  // nobody is there to be told
  }
}

void Console::write(Stream stream, std::string_view text) {
  constexpr std::uint64_t enough = 64 << 10;
  if (text.empty()) return;
  note_line_end(stream, text.back());
  outlet(stream).add(sink(stream), text);
  if (waiting() >= enough) pump();
}

void Console::write(Stream stream, TaskOutput& file, ByteRange range, std::string tag) {
  if (range.empty()) return;
  char last = '\n';
  if (display_ == Display::bar && tag.empty()) file.read(range.end - 1, std::span(&last, 1));
  note_line_end(stream, last);
  outlet(stream).add(sink(stream), file, range, std::move(tag));
  pump();
}

void Console::pump() {
  for (Outlet& outlet : outlets_) {
    if (outlet.empty()) continue;
    erase_bar();
    outlet.pump();
  }
}

void Console::wait_for_room(std::chrono::milliseconds longest) const {
  (outlets_[0].empty() ? outlets_[1] : outlets_[0]).wait_for_room(longest);
}

void Console::give_up() { outlets_ = {}; }

void Console::note_line_end(Stream stream, char last) {
  if (display_ == Display::bar && sink(stream).is_terminal()) line_open_ = last != '\n';
}

void Console::say(std::string_view message) { print(fmt::format("{}: {}\n", program_, message)); }

void Console::print(std::string_view lines) {
  outlet(Stream::error).add(error_, lines);
  erase_bar();
  if (!lines.empty()) note_line_end(Stream::error, lines.back());
  outlet(Stream::error).pump();
}

void Console::show(const Progress& progress) {
  if (display_ == Display::none) return;
  const auto now = Clock::now();
  const auto interval =
      display_ == Display::bar ? Clock::duration(std::chrono::milliseconds(200)) : std::chrono::seconds(30);
  if (now - last_shown_ < interval) return;
  last_shown_ = now;
  if (display_ == Display::plain) return say(describe(progress));
  if (!outlet(Stream::error).empty()) return;         // a task's output is half written there
  if (line_open_ || !error_.in_foreground()) return;  // it would write over a task's line, or into the shell's
  error_.write_some("\r" + draw_bar(progress, error_.columns()) + "\x1b[J\r");
  bar_drawn_ = true;
}

}  // namespace bulkhead::tool
