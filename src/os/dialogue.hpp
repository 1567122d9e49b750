// A long-lived program's three streams: bytes to it, bytes from it, and what it says besides.
//
// All three are served in one wait, so that neither side can wait for the other: a program that answers before it has
// read everything, and one that complains at length, never fill a pipe that nobody empties.
#pragma once

#include "os/fd.hpp"
#include "os/program_streams.hpp"

#include <bulkhead/task_output.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace bulkhead::os {

class Dialogue {
 public:
  /// Its standard error goes to the file or, by whole lines, to the listener (channel 2), or else to ours.
  Dialogue(TaskOutput* error, const ProgramStreams::Listener& on_lines);

  void give_to(ProgramImage& image) const;
  /// It has started: its ends of the pipes are its own to close.
  void forget_its_ends();

  /// Begins to send this. The bytes must stay until wait() has sent all, or nothing more is wanted. `knock`: the last
  /// byte at least is held back until it has taken what comes before, and so has come to reading.
  void send(std::string_view bytes, bool knock);
  /// It has not come to reading yet: what it has said cannot be about what is being sent.
  bool holds_back() const noexcept { return !held_back_.empty(); }
  /// No more will be sent: it sees the end of its input.
  void close_input();
  /// As ProgramStreams::wait(). A descriptor of -1 is not waited for.
  ProgramEvents wait(int pidfd, int stop, int parent, std::optional<std::chrono::nanoseconds> timeout);
  /// Takes what is there now, without waiting.
  void drain();

  std::string& heard() noexcept { return heard_; }
  bool output_closed() const noexcept { return !output_.read_end; }
  /// Of what was sent last, how much it has not taken from its input.
  std::size_t untaken() const;
  bool took_nothing() const { return untaken() == size_; }
  /// Bytes of both streams that have come since count_anew(). What comes after `most` of them is dropped: it may go on
  /// writing until it is ended.
  std::uint64_t received() const noexcept { return received_; }
  void count_anew() noexcept { received_ = 0; }
  void keep_at_most(std::uint64_t most) noexcept { most_ = most; }
  /// Of its standard error, since this was asked last.
  ByteRange take_error_range();
  /// After its end: a last line without a newline.
  void finish();

 private:
  void write_more();
  void send_rest();
  bool release();
  bool drop(Fd& from);
  bool read_output();
  bool read_error();
  bool store_error();
  bool pass_lines();

  const ProgramStreams::Listener& on_lines_;
  TaskOutput* file_;
  Pipe input_, output_, error_;
  std::string_view rest_, held_back_;
  std::size_t capacity_ = 0;  // of the input
  std::uint64_t received_ = 0, most_ = std::numeric_limits<std::uint64_t>::max();
  std::size_t size_ = 0;
  std::string heard_, partial_;
  ByteRange stored_{};
  int store_error_ = 0;
  bool reader_gone_ = false;
};

}  // namespace bulkhead::os
