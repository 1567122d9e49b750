// A program's standard output and error on their way: through pipes into files, or line by line to a listener.
//
// Pipes and not the files themselves: a program may truncate or rewind what it is given ("> /dev/stderr" does), and the
// file also holds the output of the tasks before it. Into files the bytes go by splice(), past this process' memory.
#pragma once

#include "os/fd.hpp"

#include <bulkhead/task_output.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>

namespace bulkhead::os {

struct ProgramImage;

/// Bytes of a line without an end that are held back for a listener; then they go out as a line.
inline constexpr std::size_t longest_held_line = 1 << 20;

/// What wait() came back with; none of them: a piece of output was moved, or the time is up.
struct ProgramEvents {
  bool ended = false, stop = false, parent_gone = false, suspension = false;
  int store_error = 0;  ///< errno: the output has nowhere to go any more
};

struct StoredRanges {
  ByteRange output, error;
  int store_error = 0;
};

class ProgramStreams {
 public:
  using Listener = std::function<void(int channel, std::span<const std::byte> lines)>;

  /// Files or a listener or neither; with neither the program writes to our own streams. `input` is what it reads.
  ProgramStreams(TaskOutput* output, TaskOutput* error, const Listener& on_lines, const std::string& input);

  /// What comes after so many bytes is dropped: the program may go on writing until it is ended.
  void keep_at_most(std::uint64_t bytes);
  /// The bytes that have come.
  std::uint64_t received() const noexcept { return received_; }

  void give_to(ProgramImage& image) const;
  /// Waits for the program's end, its output or one of the other descriptors (-1: none), at most `timeout`.
  ProgramEvents wait(int pidfd, int stop, int parent, int suspension, std::optional<std::chrono::nanoseconds> timeout);
  /// After the program's end: moves what its pipes still hold, then says where everything is.
  StoredRanges finish();

 private:
  struct Stream {
    int channel = 0;
    Pipe pipe{};
    TaskOutput* file = nullptr;
    ByteRange stored{};
    std::string partial{};  // of a line
    bool large = false;     // the pipe was asked to be

    bool open() const noexcept { return static_cast<bool>(pipe.read_end); }
  };

  void begin(Stream& stream, TaskOutput* file);
  bool move(Stream& stream);  // false: there is nothing now
  bool store(Stream& stream);
  bool drop(Stream& stream);
  bool pass_lines(Stream& stream);

  const Listener& on_lines_;
  Stream output_{.channel = 1}, error_{.channel = 2};
  Fd input_;
  int store_error_ = 0;
  std::uint64_t received_ = 0, most_ = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace bulkhead::os
