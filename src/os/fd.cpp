#include "os/fd.hpp"

#include "os/at_birth.hpp"
#include "os/private_descriptors.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace bulkhead::os {

void throw_errno(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

BULKHEAD_AT_BIRTH void Fd::reset(int fd) noexcept {
  if (fd_ >= 0) {
    unmark_private(fd_);
    ::close(fd_);  // EINTR still closes on Linux: never retried
  }
  fd_ = fd;
}

BULKHEAD_AT_BIRTH Fd above_standard_streams(Fd fd) {
  if (fd.get() > STDERR_FILENO) return fd;
  Fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!moved) throw_errno("fcntl(F_DUPFD_CLOEXEC)");
  return moved;
}

Fd kept_from_children(Fd fd) {
  fd = above_standard_streams(std::move(fd));
  mark_private(fd.get());
  return fd;
}

Fd duplicate(const Fd& fd) {
  Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!copy) throw_errno("fcntl(F_DUPFD_CLOEXEC)");
  return kept_from_children(std::move(copy));
}

Pipe make_pipe(std::size_t capacity) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe2");
  Fd read_end(ends[0]), write_end(ends[1]);
  Pipe pipe{above_standard_streams(std::move(read_end)), above_standard_streams(std::move(write_end))};
  if (capacity != default_pipe_capacity)  // a wish: the user's pipe quota may forbid it
    ::fcntl(pipe.write_end.get(), F_SETPIPE_SZ, static_cast<int>(capacity));
  return pipe;
}

Pipe make_private_pipe(std::size_t capacity) {
  Pipe pipe = make_pipe(capacity);
  return {kept_from_children(std::move(pipe.read_end)), kept_from_children(std::move(pipe.write_end))};
}

void set_nonblocking(const Fd& fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) throw_errno("fcntl(O_NONBLOCK)");
}

std::ptrdiff_t read_some(const Fd& fd, std::span<std::byte> into) {
  for (;;) {
    const ssize_t n = ::read(fd.get(), into.data(), into.size());
    if (n >= 0) return n;
    if (errno == EAGAIN) return -1;
    if (errno != EINTR) throw_errno("read");
  }
}

bool wait_readable(const Fd& fd, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd waited{fd.get(), POLLIN, 0};
    const int n = ::poll(&waited, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (n > 0) return true;
    if (n == 0) return false;
    if (errno != EINTR) throw_errno("poll");
  }
}

bool wait_for_either(int first, int second) {
  std::array<pollfd, 2> waiting{{{first, POLLIN, 0}, {second, POLLIN, 0}}};
  while (::poll(waiting.data(), waiting.size(), -1) < 0)
    if (errno != EINTR) throw_errno("poll");
  return waiting[0].revents != 0;
}

BULKHEAD_AT_BIRTH bool write_all(const Fd& fd, std::span<const std::byte> head, std::span<const std::byte> body) {
  while (!head.empty() || !body.empty()) {
    const std::array<iovec, 2> parts{iovec{const_cast<std::byte*>(head.data()), head.size()},
                                     iovec{const_cast<std::byte*>(body.data()), body.size()}};
    const ssize_t n = ::writev(fd.get(), parts.data(), 2);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EPIPE) return false;
      throw_errno("writev");
    }
    const auto written = static_cast<std::size_t>(n);
    const std::size_t of_head = written < head.size() ? written : head.size();
    head = head.subspan(of_head);
    body = body.subspan(written - of_head);
  }
  return true;
}

WakeUp::WakeUp() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw_errno("eventfd");
  fd_ = kept_from_children(std::move(fd_));
}

void WakeUp::notify() const noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(fd_.get(), &one, sizeof one));  // full means: already notified
}

void WakeUp::clear() const noexcept {
  std::uint64_t count = 0;
  static_cast<void>(!::read(fd_.get(), &count, sizeof count));
}

}  // namespace bulkhead::os
