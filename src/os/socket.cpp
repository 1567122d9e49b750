#include "os/socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

namespace bulkhead::os {
namespace {

void wait_until_ready(int fd, short events) {
  pollfd waiting{fd, events, 0};
  if (::poll(&waiting, 1, -1) < 0 && errno != EINTR) throw_errno("poll");
}

// A write to a pipe has no flag against SIGPIPE. The signal goes to the writing thread: held back here, taken off
// again if the write raised it, left alone if it was pending before.
class SigpipeHeldBack {
 public:
  SigpipeHeldBack() {
    ::sigemptyset(&only_sigpipe_);
    ::sigaddset(&only_sigpipe_, SIGPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    if (!was_pending_) ::pthread_sigmask(SIG_BLOCK, &only_sigpipe_, &before_);
  }
  SigpipeHeldBack(const SigpipeHeldBack&) = delete;
  SigpipeHeldBack& operator=(const SigpipeHeldBack&) = delete;
  ~SigpipeHeldBack() {
    if (was_pending_) return;
    const int error = errno;
    const timespec at_once{};
    while (raised_ && ::sigtimedwait(&only_sigpipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }
  void raised() noexcept { raised_ = true; }

 private:
  sigset_t only_sigpipe_, before_;
  bool was_pending_ = false, raised_ = false;
};

ssize_t write_once(int fd, std::array<iovec, 2>& parts) {
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  if (sent >= 0 || errno != ENOTSOCK) return sent;
  SigpipeHeldBack quiet;
  const ssize_t written = ::writev(fd, parts.data(), static_cast<int>(parts.size()));
  if (written < 0 && errno == EPIPE) quiet.raised();
  return written;
}

}  // namespace

std::pair<Fd, Fd> make_socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw_errno("socketpair");
  Fd first(ends[0]), second(ends[1]);
  first = above_standard_streams(std::move(first));
  second = above_standard_streams(std::move(second));
  return {std::move(first), std::move(second)};
}

bool is_connected_stream_socket(int fd) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) return false;
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

void set_close_on_exec(int fd) {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0 || ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0) throw_errno("fcntl(FD_CLOEXEC)");
}

void send_all(int fd, std::span<const std::byte> head, std::span<const std::byte> body) {
  while (!head.empty() || !body.empty()) {
    std::array<iovec, 2> parts{iovec{const_cast<std::byte*>(head.data()), head.size()},
                               iovec{const_cast<std::byte*>(body.data()), body.size()}};
    const ssize_t n = write_once(fd, parts);
    if (n < 0) {
      if (errno == EAGAIN) {
        wait_until_ready(fd, POLLOUT);
      } else if (errno != EINTR) {
        throw_errno("bulkhead::Channel::send(): write");
      }
      continue;
    }
    const auto written = static_cast<std::size_t>(n);
    const std::size_t of_head = written < head.size() ? written : head.size();
    head = head.subspan(of_head);
    body = body.subspan(written - of_head);
  }
}

bool send_some(int fd, std::string_view bytes, std::size_t& sent) {
  std::array<iovec, 2> parts{iovec{const_cast<char*>(bytes.data()), bytes.size()}, iovec{nullptr, 0}};
  const ssize_t n = write_once(fd, parts);
  sent = n > 0 ? static_cast<std::size_t>(n) : 0;
  if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE) throw_errno("write");
  return n >= 0 || errno != EPIPE;
}

std::size_t receive_some(int fd, std::span<std::byte> into) {
  for (;;) {
    const ssize_t n = ::read(fd, into.data(), into.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EAGAIN) {
      wait_until_ready(fd, POLLIN);
    } else if (errno != EINTR) {
      throw_errno("bulkhead::Channel::recv(): read");
    }
  }
}

}  // namespace bulkhead::os
