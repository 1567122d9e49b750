// The two streams this program writes, and the line of progress that must never be mixed up with them.
#pragma once

#include "rules/settings.hpp"

#include <bulkhead/byte_sink.hpp>
#include <bulkhead/work_clock.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead::tool {

/// Thrown when standard output's reader has gone: the run ends quietly.
struct ReaderGone {};

struct Progress {
  std::uint64_t done = 0, failed = 0, running = 0;
  std::optional<std::uint64_t> total{};
  std::chrono::nanoseconds elapsed{};
};

/// "45 of 100 done, 3 failed, 4 running, 12.3/s, 4.5 s to go".
std::string describe(const Progress& progress);
/// The same as a bar of at most `columns` columns.
std::string draw_bar(const Progress& progress, unsigned columns);

class Console {
 public:
  explicit Console(const Settings& settings);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  enum class Stream { output, error };
  /// A task's output. Throws ReaderGone, std::system_error.
  void write(Stream stream, std::string_view bytes);
  void write(Stream stream, const TaskOutput& file, ByteRange range);

  /// A line of our own on standard error, behind "bulkhead: ".
  void say(std::string_view message);
  /// Lines of our own on standard error, as they are.
  void print(std::string_view lines);
  /// Shows it where progress is wanted, as often as is useful.
  void show(const Progress& progress);

  bool colored() const noexcept { return colored_; }

 private:
  using Clock = WorkClock;
  void erase_bar();
  void note_line_end(Stream stream, char last);

  ByteSink output_ = ByteSink::standard_output(), error_ = ByteSink::standard_error();
  enum class Display { none, plain, bar } display_ = Display::none;
  bool colored_ = false, bar_drawn_ = false;
  bool line_open_ = false;  // what stands on the terminal does not end with a line: no place for a bar
  Clock::time_point last_shown_ = Clock::now();
};

}  // namespace bulkhead::tool
