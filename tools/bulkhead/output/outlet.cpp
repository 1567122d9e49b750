#include "output/outlet.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <system_error>
#include <utility>

namespace bulkhead::tool {

void Outlet::add(ByteSink& sink, std::string_view text) {
  if (text.empty()) return;
  constexpr std::size_t enough = 64 << 10;
  size_ += text.size();
  if (!pieces_.empty()) {  // small texts become one write
    Piece& last = pieces_.back();
    if (!last.file && last.sink == &sink && last.text.size() < enough) {
      last.text += text;
      return;
    }
  }
  pieces_.push_back({.sink = &sink, .text = std::string(text)});
}

void Outlet::add(ByteSink& sink, TaskOutput& file, ByteRange range, std::string tag) {
  if (range.empty()) return;
  size_ += range.size();
  const bool tagged = !tag.empty();
  pieces_.push_back({.sink = &sink,
                     .file = &file,
                     .range = range,
                     .whole = range,
                     .tagger = LineTagger(std::move(tag)),
                     .tagged = tagged});
}

void Outlet::pump() {
  while (!pieces_.empty() && write_front()) {
  }
}

// True: the piece is done, on to the next one. False: there is no room now.
bool Outlet::write_front() {
  Piece& piece = pieces_.front();
  const auto done = [&] {
    if (piece.file) piece.file->discard(piece.whole);
    size_ -= piece.range.size() + (piece.file ? 0 : piece.text.size() - piece.text_done);
    pieces_.pop_front();
  };
  try {
    while (piece.text_done < piece.text.size() || !piece.range.empty() || piece.line_open)
      if (!(piece.text_done < piece.text.size() ? write_text(piece) : write_file(piece))) return false;
  } catch (...) {
    done();
    throw;
  }
  done();
  return true;
}

bool Outlet::write_text(Piece& piece) {
  const auto n = piece.sink->write_some(std::string_view(piece.text).substr(piece.text_done));
  if (!n) return drop(piece);
  if (!piece.file) size_ -= *n;
  written_ += *n;
  piece.text_done += *n;
  return *n > 0;
}

bool Outlet::write_file(Piece& piece) {
  if (piece.tagged) return read_tagged(piece);
  const auto n = piece.sink->write_some(*piece.file, piece.range);
  if (!n) return drop(piece);
  size_ -= *n;
  written_ += *n;
  piece.range.begin += *n;
  return *n > 0;
}

// The next bytes of the file become text, which is written next.
bool Outlet::read_tagged(Piece& piece) {
  std::array<char, 64 << 10> chunk;
  const std::size_t got = piece.file->read(
      piece.range.begin, std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), piece.range.size())));
  piece.text_done = 0;
  if (got == 0) {
    size_ -= piece.range.size();
    piece.range = {};
    piece.text = std::exchange(piece.line_open, false) ? "\n" : "";  // else the next tag would stand inside this line
    return true;
  }
  piece.text = piece.tagger.apply(std::string_view(chunk.data(), got));
  piece.line_open = chunk[got - 1] != '\n';
  piece.range.begin += got;
  size_ -= got;
  return true;
}

// The reader has gone. Nobody misses what was meant for a standard error that nobody reads.
bool Outlet::drop(Piece& piece) {
  if (piece.sink->is_standard_output()) throw ReaderGone();
  size_ -= piece.range.size() + (piece.file ? 0 : piece.text.size() - piece.text_done);
  piece.range = {};
  piece.text_done = piece.text.size();
  piece.line_open = false;
  return true;
}

bool Outlet::wait_for_room(std::chrono::milliseconds longest) const {
  return pieces_.empty() || pieces_.front().sink->wait_for_room(longest);
}

}  // namespace bulkhead::tool
