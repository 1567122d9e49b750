// Where a program's own output goes: a standard stream, written to the last byte, or as far as it goes without waiting.
#pragma once

#include <bulkhead/task_output.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bulkhead {

/// Standard output or standard error. One thread at a time.
///
/// SIGPIPE must be ignored (see SignalWatch): a reader that has gone is told by the functions here.
class ByteSink {
 public:
  static ByteSink standard_output() { return ByteSink(1); }
  static ByteSink standard_error() { return ByteSink(2); }
  ByteSink(ByteSink&& other) noexcept;
  ByteSink& operator=(ByteSink&&) = delete;
  ~ByteSink();

  bool is_standard_output() const noexcept { return stream_ == 1; }
  bool is_terminal() const noexcept;
  /// The terminal's width in columns; 80 where it is not known.
  unsigned columns() const noexcept;
  /// Both are one pipe, terminal or file, so that what is written to one stands between what is written to the other.
  bool is_same_as(const ByteSink& other) const noexcept;

  /// False where it is this program's terminal and another job has it: what moves the cursor would disturb that one.
  bool in_foreground() const noexcept;

  /// Writes all of it, waiting where the reader is slow. False: the reader has gone. Throws std::system_error naming
  /// the stream on other errors.
  bool write(std::string_view bytes);

  /// Writes what the reader has room for. Returns the number of bytes, 0 if it would have to wait; nullopt: the reader
  /// has gone. Throws like write(). Does not touch the flags of the stream, which others share.
  std::optional<std::uint64_t> write_some(std::string_view bytes);
  /// The same for a piece of a file; the bytes do not pass through this process where the kernel can help it. The bytes
  /// that a file is shorter than it was said to be count as written.
  std::optional<std::uint64_t> write_some(const TaskOutput& file, ByteRange range);
  /// Waits until write_some() would write something. False: the time ran out.
  bool wait_for_room(std::chrono::milliseconds longest) const noexcept;

 private:
  explicit ByteSink(int stream);
  int descriptor() const noexcept { return own_ >= 0 ? own_ : stream_; }
  std::optional<std::uint64_t> result_of(std::int64_t written) const;

  int stream_;
  int own_ = -1;            // the same pipe or terminal once more, opened so that a write never waits
  bool may_block_ = false;  // a write could wait and we have no `own_`
  bool is_socket_ = false;
};

}  // namespace bulkhead
