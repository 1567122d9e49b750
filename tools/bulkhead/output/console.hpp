// The two streams this program writes, and the line of progress that must never be mixed up with them.
#pragma once

#include "output/outlet.hpp"
#include "rules/settings.hpp"

#include <bulkhead/byte_sink.hpp>
#include <bulkhead/work_clock.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead::tool {

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
  /// A task's output. Small texts wait for pump(), so that many become one write; and all that the reader has no room
  /// for. Throws ReaderGone, std::system_error.
  void write(Stream stream, std::string_view text);
  /// Written at once where there is room. The file must stay until nothing waits; it gets the piece back.
  void write(Stream stream, TaskOutput& file, ByteRange range, std::string tag);

  /// Bytes that wait for a reader.
  std::uint64_t waiting() const noexcept { return outlets_[0].size() + outlets_[1].size(); }
  std::uint64_t written() const noexcept { return outlets_[0].written() + outlets_[1].written(); }
  /// Writes what goes without waiting. Throws ReaderGone, std::system_error.
  void pump();
  /// Waits until pump() would write something, or until the time has run out.
  void wait_for_room(std::chrono::milliseconds longest) const;
  /// Forgets what waits.
  void give_up();

  /// A line of our own on standard error, behind the program's name.
  void say(std::string_view message);
  /// Lines of our own on standard error, as they are.
  void print(std::string_view lines);
  /// Shows it where progress is wanted, as often as is useful.
  void show(const Progress& progress);

  bool colored() const noexcept { return colored_; }

 private:
  using Clock = WorkClock;
  void erase_bar();
  ByteSink& sink(Stream stream) { return stream == Stream::output ? output_ : error_; }
  Outlet& outlet(Stream stream) { return outlets_[stream == Stream::error && !one_destination_]; }
  void note_line_end(Stream stream, char last);

  ByteSink output_ = ByteSink::standard_output(), error_ = ByteSink::standard_error();
  const bool one_destination_ = output_.is_same_as(error_);  // then one queue keeps tasks from mixing
  std::array<Outlet, 2> outlets_;
  enum class Display { none, plain, bar } display_ = Display::none;
  std::string program_;
  bool colored_ = false, bar_drawn_ = false;
  bool line_open_ = false;  // what stands on the terminal does not end with a line: no place for a bar
  Clock::time_point last_shown_ = Clock::now();
};

}  // namespace bulkhead::tool
