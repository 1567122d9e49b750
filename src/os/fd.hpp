// Owner of one descriptor, and the few verbs on descriptors that the program needs.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace bulkhead::os {

/// Throws std::system_error for the current errno, naming the call that failed.
[[noreturn]] void throw_errno(const char* call);

/// Closes what it owns. Move-only; -1 owns nothing.
class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~Fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// What the kernel gives a pipe for which nobody asks.
inline constexpr std::size_t default_pipe_capacity = 64u << 10;

/// A close-on-exec pipe whose ends are both above 2, with `capacity` bytes asked of the kernel (it may grant less).
struct Pipe {
  Fd read_end, write_end;
};
Pipe make_pipe(std::size_t capacity);
/// The same, and forked children of ours close both ends.
Pipe make_private_pipe(std::size_t capacity);

/// The same descriptor under a number above 2, so that a process started with 0, 1 or 2 closed cannot mistake one of
/// ours for its standard streams. Close-on-exec.
Fd above_standard_streams(Fd fd);

/// The same, and forked children of ours close it: see private_descriptors.hpp.
Fd kept_from_children(Fd fd);

/// A second descriptor of the same open file, private as well.
Fd duplicate(const Fd& fd);

void set_nonblocking(const Fd& fd);

/// Reads what is there. -1: nothing now (non-blocking); 0: end of file. Throws on other errors.
std::ptrdiff_t read_some(const Fd& fd, std::span<std::byte> into);

/// Waits until `fd` is readable or at its end. False: the time ran out.
bool wait_readable(const Fd& fd, std::chrono::milliseconds timeout);

/// Waits, however long, until one of them is readable or at its end. True: `first` is.
bool wait_for_either(int first, int second);

/// Writes all of `head`, then all of `body`. False if the reader has gone. Retries on EINTR; throws on other errors.
bool write_all(const Fd& fd, std::span<const std::byte> head, std::span<const std::byte> body = {});

/// Wakes a poller from another thread (or from the same one): an eventfd.
class WakeUp {
 public:
  WakeUp();
  const Fd& fd() const noexcept { return fd_; }
  void notify() const noexcept;
  void clear() const noexcept;

 private:
  Fd fd_;
};

}  // namespace bulkhead::os
