#include "output/console.hpp"

#include "words/quantity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
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

Console::Console(const Settings& settings) : program_(settings.program) {
  const bool terminal = error_.is_terminal();
  colored_ = want_color(settings.color, terminal);
  switch (settings.progress) {
    case ProgressMode::automatic:
      display_ = terminal && !dumb_terminal() ? Display::bar : Display::plain;
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

void Console::erase_bar() {
  if (!bar_drawn_) return;
  bar_drawn_ = false;
  try {
    error_.write_some("\r\x1b[K");
  } catch (const std::system_error&) {  // nobody is there to be told
  }
}

void Console::write(Stream stream, std::string text) {
  constexpr std::uint64_t enough = 64 << 10;
  outlet(stream).add(sink(stream), std::move(text));
  if (waiting() >= enough) pump();
}

void Console::write(Stream stream, TaskOutput& file, ByteRange range, std::string tag) {
  if (range.empty()) return;
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

void Console::say(std::string_view message) { print(fmt::format("{}: {}\n", program_, message)); }

void Console::print(std::string_view lines) {
  outlet(Stream::error).add(error_, std::string(lines));
  erase_bar();
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
  if (!outlet(Stream::error).empty()) return;  // a task's output is half written there
  error_.write_some("\r" + draw_bar(progress, error_.columns()) + "\x1b[K");
  bar_drawn_ = true;
}

}  // namespace bulkhead::tool
