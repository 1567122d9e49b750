#include "os/program_streams.hpp"

#include "os/clock.hpp"
#include "os/spawn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace bulkhead::os {

namespace {

constexpr int large_pipe = 1 << 20;  // for programs that fill the one that they are given

// Memory and not a pipe: nobody has to feed it while the program runs, and it is gone with its last descriptor.
Fd input_of(const std::string& bytes) {
  if (bytes.empty()) return above_standard_streams(Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  Fd file(::memfd_create("bulkhead input", MFD_CLOEXEC));
  if (!file) throw_errno("memfd_create");
  write_all(file, std::as_bytes(std::span(bytes)));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("lseek");
  return above_standard_streams(std::move(file));
}

}  // namespace

ProgramStreams::ProgramStreams(TaskOutput* output, TaskOutput* error, const Listener& on_lines,
                               const std::string& input)
    : on_lines_(on_lines), input_(input_of(input)) {
  if (output || on_lines) begin(output_, output);
  if (error || on_lines) begin(error_, error);
}

void ProgramStreams::begin(Stream& stream, TaskOutput* file) {
  stream.pipe = make_pipe(default_pipe_capacity);
  // A pipe's ends are flagged apart: the program's end still blocks. splice() is told by a flag of its own.
  if (!file) set_nonblocking(stream.pipe.read_end);
  stream.file = file;
  if (file) stream.stored.begin = stream.stored.end = file->size();
}

void ProgramStreams::keep_at_most(std::uint64_t bytes) {
  most_ = bytes;
  for (const Stream* stream : {&output_, &error_})
    if (stream->open()) set_nonblocking(stream->pipe.read_end);  // what is dropped is read
}

void ProgramStreams::give_to(ProgramImage& image) const {
  image.input = input_.get();
  image.output = output_.pipe.write_end.get();
  image.error = error_.pipe.write_end.get();
}

ProgramEvents ProgramStreams::wait(int pidfd, int stop, int parent, int suspension,
                                   std::optional<std::chrono::nanoseconds> timeout) {
  std::array<pollfd, 6> waiting{{{pidfd, POLLIN, 0},
                                 {stop, POLLIN, 0},
                                 {parent, POLLIN, 0},
                                 {suspension, POLLIN, 0},
                                 {output_.pipe.read_end.get(), POLLIN, 0},
                                 {error_.pipe.read_end.get(), POLLIN, 0}}};
  const timespec limit = to_timespec(timeout.value_or(std::chrono::nanoseconds(0)));
  const int ready = ::ppoll(waiting.data(), waiting.size(), timeout ? &limit : nullptr, nullptr);
  if (ready <= 0) return {};
  // Our own copies of the write ends stay open: that a program has closed its output says nothing about its end, and
  // would wake us twice for each.
  if (waiting[4].revents != 0) move(output_);
  if (waiting[5].revents != 0) move(error_);
  return {.ended = waiting[0].revents != 0,
          .stop = waiting[1].revents != 0,
          .parent_gone = waiting[2].revents != 0,
          .suspension = waiting[3].revents != 0,
          .store_error = store_error_};
}

StoredRanges ProgramStreams::finish() {
  constexpr int enough = 64;  // a survivor that keeps writing cannot keep us here
  for (Stream* stream : {&output_, &error_}) {
    for (int i = 0; i < enough && stream->open() && move(*stream);) ++i;
    if (!stream->partial.empty()) on_lines_(stream->channel, std::as_bytes(std::span(stream->partial)));
    stream->partial.clear();
  }
  return {output_.stored, error_.stored, store_error_};
}

bool ProgramStreams::move(Stream& stream) {
  if (received_ > most_) return drop(stream);
  return stream.file ? store(stream) : pass_lines(stream);
}

bool ProgramStreams::drop(Stream& stream) {
  std::array<std::byte, 64 << 10> chunk;
  return read_some(stream.pipe.read_end, chunk) > 0;
}

bool ProgramStreams::store(Stream& stream) {
  auto at = static_cast<off_t>(stream.stored.end);
  const ssize_t n = ::splice(stream.pipe.read_end.get(), nullptr, stream.file->descriptor(), &at, 1 << 20,
                             SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n > 0) {
    stream.stored.end += static_cast<std::uint64_t>(n);
    received_ += static_cast<std::uint64_t>(n);
    // Fewer turns of the program and of us; a wish, since the user's pipe quota may forbid it.
    if (static_cast<std::size_t>(n) >= default_pipe_capacity && !std::exchange(stream.large, true))
      ::fcntl(stream.pipe.read_end.get(), F_SETPIPE_SZ, large_pipe);
  }
  if (n < 0 && errno != EAGAIN && errno != EINTR) {
    store_error_ = errno;
    stream.pipe.read_end.reset();  // the program learns it by SIGPIPE at its next write
  }
  return n > 0;
}

bool ProgramStreams::pass_lines(Stream& stream) {
  std::array<char, 64 << 10> chunk;
  const std::ptrdiff_t n = read_some(stream.pipe.read_end, std::as_writable_bytes(std::span(chunk)));
  if (n <= 0) return false;
  const auto size = static_cast<std::size_t>(n);
  received_ += size;
  const void* last = ::memrchr(chunk.data(), '\n', size);
  const std::size_t whole = last ? static_cast<std::size_t>(static_cast<const char*>(last) - chunk.data()) + 1 : 0;
  if (whole > 0) {
    stream.partial.append(chunk.data(), whole);
    on_lines_(stream.channel, std::as_bytes(std::span(stream.partial)));
    stream.partial.assign(chunk.data() + whole, size - whole);
  } else {
    stream.partial.append(chunk.data(), size);
    if (stream.partial.size() >= longest_held_line) {
      on_lines_(stream.channel, std::as_bytes(std::span(stream.partial)));
      stream.partial.clear();
    }
  }
  return true;
}

}  // namespace bulkhead::os
