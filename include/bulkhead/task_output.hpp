// Where the output of programs rests until it is its turn: a file without a name, cut into ranges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead {

/// A piece of a file: bytes begin to end - 1.
struct ByteRange {
  std::uint64_t begin = 0, end = 0;

  std::uint64_t size() const noexcept { return end - begin; }
  bool empty() const noexcept { return begin == end; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(begin, end);
  }
};

/// A temporary file that has no name, in $TMPDIR or /tmp: nothing is left of it, however the program ends.
///
/// Made before the workers are forked, one a worker and stream: the worker appends, everyone reads. Move-only.
class TaskOutput {
 public:
  /// Throws std::system_error naming the directory.
  TaskOutput();
  TaskOutput(TaskOutput&& other) noexcept;
  TaskOutput& operator=(TaskOutput&& other) noexcept;
  ~TaskOutput();

  int descriptor() const noexcept { return descriptor_; }
  /// In bytes, those given back included. Throws std::system_error.
  std::uint64_t size() const;
  /// Returns the number of bytes read; less than asked for only at the end. Throws std::system_error.
  std::size_t read(std::uint64_t at, std::span<char> into) const;
  /// Gives the space of this range back to the file system, in larger pieces. Never fails.
  void discard(ByteRange range) noexcept;

 private:
  int descriptor_;
  ByteRange unused_;  // given back by the caller, not yet to the system
};

}  // namespace bulkhead
