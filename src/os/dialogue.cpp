#include "os/dialogue.hpp"

#include "os/clock.hpp"
#include "os/socket.hpp"
#include "os/spawn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace bulkhead::os {

namespace {

constexpr std::size_t pipe_capacity = 64 << 10;

// Returns what it is then; 0: not known.
std::size_t set_capacity(const Fd& pipe, std::size_t bytes) {
  const int now = ::fcntl(pipe.get(), F_SETPIPE_SZ, static_cast<int>(bytes));
  return now > 0 ? static_cast<std::size_t>(now) : 0;
}

}  // namespace

Dialogue::Dialogue(TaskOutput* error, const ProgramStreams::Listener& on_lines)
    : on_lines_(on_lines), file_(error), input_(make_pipe(pipe_capacity)), output_(make_pipe(pipe_capacity)) {
  set_nonblocking(input_.write_end);  // a pipe's ends are flagged apart: the program's ends still block
  set_nonblocking(output_.read_end);
  if (!file_ && !on_lines_) return;
  error_ = make_pipe(pipe_capacity);
  set_nonblocking(error_.read_end);
  if (file_) stored_.begin = stored_.end = file_->size();
}

void Dialogue::give_to(ProgramImage& image) const {
  image.input = input_.read_end.get();
  image.output = output_.write_end.get();
  image.error = error_.write_end.get();
}

void Dialogue::forget_its_ends() {
  input_.read_end.reset();
  output_.write_end.reset();
  error_.write_end.reset();
}

// A pipe of one page can be written to when it is empty, and only then: that is how its reader is heard of. It must be
// empty to become so small, and it is: who asks has seen that nothing was left in it.
void Dialogue::send(std::string_view bytes, bool knock) {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  rest_ = bytes;
  held_back_ = {};
  size_ = bytes.size();
  if (knock && size_ > 1) {
    if (capacity_ != page) capacity_ = set_capacity(input_.write_end, page);
    if (capacity_ == page) {
      rest_ = bytes.substr(0, std::min(page, size_ - 1));
      held_back_ = bytes.substr(rest_.size());
    }
  }
  write_more();  // mostly it fits, and one wait is saved
}

void Dialogue::close_input() {
  rest_ = held_back_ = {};
  input_.write_end.reset();
}

ProgramEvents Dialogue::wait(int pidfd, int stop, int parent, std::optional<std::chrono::nanoseconds> timeout) {
  const int input = (rest_.empty() && held_back_.empty()) || reader_gone_ ? -1 : input_.write_end.get();
  std::array<pollfd, 6> waiting{{{pidfd, POLLIN, 0},
                                 {stop, POLLIN, 0},
                                 {parent, POLLIN, 0},
                                 {input, POLLOUT, 0},
                                 {output_.read_end.get(), POLLIN, 0},
                                 {error_.read_end.get(), POLLIN, 0}}};
  const timespec limit = to_timespec(timeout.value_or(std::chrono::nanoseconds(0)));
  if (::ppoll(waiting.data(), waiting.size(), timeout ? &limit : nullptr, nullptr) <= 0) return {};
  if (waiting[3].revents != 0) write_more();
  if (waiting[4].revents != 0) read_output();
  if (waiting[5].revents != 0) read_error();
  return {.ended = waiting[0].revents != 0,
          .stop = waiting[1].revents != 0,
          .parent_gone = waiting[2].revents != 0,
          .store_error = store_error_};
}

void Dialogue::drain() {
  constexpr int enough = 64;  // one that keeps writing cannot keep us here
  for (int i = 0; i < enough && read_output(); ++i) {
  }
  for (int i = 0; i < enough && read_error(); ++i) {
  }
}

std::size_t Dialogue::untaken() const {
  int in_the_pipe = 0;
  if (input_.write_end) static_cast<void>(::ioctl(input_.write_end.get(), FIONREAD, &in_the_pipe));
  return static_cast<std::size_t>(in_the_pipe) + rest_.size() + held_back_.size();
}

ByteRange Dialogue::take_error_range() {
  const ByteRange taken = stored_;
  stored_.begin = stored_.end;
  return taken;
}

void Dialogue::finish() {
  drain();
  if (!partial_.empty()) on_lines_(2, std::as_bytes(std::span(partial_)));
  partial_.clear();
}

// A reader that has gone is no news here: its end, or that of its output, will say why.
void Dialogue::write_more() {
  send_rest();
  if (release()) send_rest();
}

// What it said before it came to reading is here by now. A whole line of that is no answer, and nothing more is sent; a
// part of one may be its answer to what it has read.
bool Dialogue::release() {
  if (held_back_.empty() || !rest_.empty() || untaken() != held_back_.size()) return false;
  drain();
  if (heard_.find('\n') != std::string::npos) return false;
  if (held_back_.size() > capacity_) capacity_ = set_capacity(input_.write_end, pipe_capacity);
  rest_ = std::exchange(held_back_, {});
  return true;
}

void Dialogue::send_rest() {
  std::size_t sent = 0;
  while (!rest_.empty()) {
    if (!send_some(input_.write_end.get(), rest_, sent)) {
      reader_gone_ = true;
      return;
    }
    if (sent == 0) return;
    rest_.remove_prefix(sent);
  }
}

bool Dialogue::read_output() {
  if (!output_.read_end) return false;
  if (received_ > most_) return drop(output_.read_end);
  std::array<char, 64 << 10> chunk;
  const std::ptrdiff_t n = read_some(output_.read_end, std::as_writable_bytes(std::span(chunk)));
  if (n == 0) output_.read_end.reset();
  if (n <= 0) return false;
  received_ += static_cast<std::uint64_t>(n);
  heard_.append(chunk.data(), static_cast<std::size_t>(n));
  return true;
}

bool Dialogue::drop(Fd& from) {
  std::array<std::byte, 64 << 10> chunk;
  const std::ptrdiff_t n = read_some(from, chunk);
  if (n == 0) from.reset();
  return n > 0;
}

bool Dialogue::read_error() {
  if (!error_.read_end) return false;
  if (received_ > most_) return drop(error_.read_end);
  return file_ ? store_error() : pass_lines();
}

bool Dialogue::store_error() {
  auto at = static_cast<off_t>(stored_.end);
  const ssize_t n =
      ::splice(error_.read_end.get(), nullptr, file_->descriptor(), &at, 1 << 20, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n > 0) {
    stored_.end += static_cast<std::uint64_t>(n);
    received_ += static_cast<std::uint64_t>(n);
  }
  if (n < 0 && errno != EAGAIN && errno != EINTR) store_error_ = errno;
  if (n == 0 || store_error_ != 0) error_.read_end.reset();
  return n > 0;
}

bool Dialogue::pass_lines() {
  std::array<char, 64 << 10> chunk;
  const std::ptrdiff_t n = read_some(error_.read_end, std::as_writable_bytes(std::span(chunk)));
  if (n == 0) error_.read_end.reset();
  if (n <= 0) return false;
  received_ += static_cast<std::uint64_t>(n);
  partial_.append(chunk.data(), static_cast<std::size_t>(n));
  const std::size_t newline = partial_.rfind('\n');
  std::size_t whole = newline == std::string::npos ? 0 : newline + 1;
  if (whole == 0 && partial_.size() >= longest_held_line) whole = partial_.size();
  if (whole > 0) on_lines_(2, std::as_bytes(std::span(partial_).first(whole)));
  partial_.erase(0, whole);
  return true;
}

}  // namespace bulkhead::os
