#include "output/console.hpp"

#include "words/quantity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <system_error>

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
  const double seconds = std::chrono::duration<double>(progress.elapsed).count();
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

Console::Console(const Settings& settings) {
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
    error_.write("\r\x1b[J");
  } catch (const std::system_error&) {  // nobody is there to be told
  }
}

void Console::write(Stream stream, std::string_view bytes) {
  if (bytes.empty()) return;
  erase_bar();
  note_line_end(stream, bytes.back());
  if (stream == Stream::error)
    error_.write(bytes);
  else if (!output_.write(bytes))
    throw ReaderGone();
}

void Console::write(Stream stream, const TaskOutput& file, ByteRange range) {
  if (range.empty()) return;
  erase_bar();
  char last = '\n';
  if (display_ == Display::bar) file.read(range.end - 1, std::span(&last, 1));
  note_line_end(stream, last);
  if (stream == Stream::error)
    error_.write(file, range);
  else if (!output_.write(file, range))
    throw ReaderGone();
}

void Console::note_line_end(Stream stream, char last) {
  const ByteSink& sink = stream == Stream::error ? error_ : output_;
  if (display_ == Display::bar && sink.is_terminal()) line_open_ = last != '\n';
}

void Console::say(std::string_view message) { print(fmt::format("bulkhead: {}\n", message)); }

void Console::print(std::string_view lines) {
  erase_bar();
  if (!lines.empty()) note_line_end(Stream::error, lines.back());
  error_.write(lines);
}

void Console::show(const Progress& progress) {
  if (display_ == Display::none) return;
  const auto now = Clock::now();
  const auto interval =
      display_ == Display::bar ? Clock::duration(std::chrono::milliseconds(200)) : std::chrono::seconds(30);
  if (now - last_shown_ < interval) return;
  last_shown_ = now;
  if (display_ == Display::plain) return say(describe(progress));
  if (line_open_ || !error_.in_foreground()) return;  // it would write over a task's line, or into the shell's
  error_.write("\r" + draw_bar(progress, error_.columns()) + "\x1b[J\r");
  bar_drawn_ = true;
}

}  // namespace bulkhead::tool
