// Where a program's own output goes: a standard stream, written to the last byte.
#pragma once

#include <bulkhead/task_output.hpp>

#include <string_view>

namespace bulkhead {

/// Standard output or standard error. One thread at a time.
class ByteSink {
 public:
  static ByteSink standard_output() noexcept { return ByteSink(1); }
  static ByteSink standard_error() noexcept { return ByteSink(2); }

  bool is_terminal() const noexcept;
  /// The terminal's width in columns; 80 where it is not known.
  unsigned columns() const noexcept;

  /// False where it is this program's terminal and another job has it: what moves the cursor would disturb that one.
  bool in_foreground() const noexcept;

  /// Writes all of it, waiting where the reader is slow. False: the reader has gone (SIGPIPE must be ignored, see
  /// SignalWatch). Throws std::system_error naming the stream on other errors.
  bool write(std::string_view bytes);
  /// The same for a piece of a file; the bytes do not pass through this process where the kernel can help it.
  bool write(const TaskOutput& file, ByteRange range);

 private:
  explicit ByteSink(int descriptor) noexcept : descriptor_(descriptor) {}
  bool wait_writable();

  int descriptor_;
};

}  // namespace bulkhead
