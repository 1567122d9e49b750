// What waits to be written to one place, in order: a reader that has stopped reading stops nothing else.
#pragma once

#include "output/line_tagger.hpp"

#include <bulkhead/byte_sink.hpp>
#include <bulkhead/task_output.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace bulkhead::tool {

/// Thrown when standard output's reader has gone: the run ends quietly.
struct ReaderGone {};

/// A queue of texts and pieces of files on their way to one or two sinks that share a destination.
class Outlet {
 public:
  void add(ByteSink& sink, std::string_view text);
  /// The file must stay; the piece is given back once it is written. `tag` begins every line.
  void add(ByteSink& sink, TaskOutput& file, ByteRange range, std::string tag);

  /// Writes what goes without waiting. Throws ReaderGone if standard output's reader has gone (what stands for a
  /// standard error whose reader has gone is dropped), std::system_error; the piece that failed is dropped.
  void pump();
  /// Waits until pump() would write something. False: the time ran out.
  bool wait_for_room(std::chrono::milliseconds longest) const;

  bool empty() const noexcept { return pieces_.empty(); }
  /// Bytes that wait, tags not counted.
  std::uint64_t size() const noexcept { return size_; }
  /// Bytes written since the beginning.
  std::uint64_t written() const noexcept { return written_; }

 private:
  struct Piece {
    ByteSink* sink;
    std::string text{};  // written before what is left of the range
    std::size_t text_done = 0;
    TaskOutput* file = nullptr;
    ByteRange range{}, whole{};
    LineTagger tagger{{}};
    bool tagged = false, line_open = false;
  };
  bool write_front();
  bool write_text(Piece& piece);
  bool write_file(Piece& piece);
  bool read_tagged(Piece& piece);
  bool drop(Piece& piece);

  std::deque<Piece> pieces_;
  std::uint64_t size_ = 0, written_ = 0;
};

}  // namespace bulkhead::tool
