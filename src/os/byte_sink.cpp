#include <bulkhead/byte_sink.hpp>

#include "os/fd.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace bulkhead {

namespace {

const char* name_of(int descriptor) { return descriptor == 1 ? "standard output" : "standard error"; }

}  // namespace

bool ByteSink::is_terminal() const noexcept { return ::isatty(descriptor_) == 1; }

unsigned ByteSink::columns() const noexcept {
  winsize size{};
  return ::ioctl(descriptor_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool ByteSink::in_foreground() const noexcept {
  const pid_t job = ::tcgetpgrp(descriptor_);
  return job < 0 || job == ::getpgrp();
}

// After a failed call: true to try again, false if the reader has gone.
bool ByteSink::wait_writable() {
  if (errno == EPIPE) return false;
  if (errno == EAGAIN) {  // non-blocking by somebody else's wish; the flag is shared, so we leave it
    pollfd waiting{.fd = descriptor_, .events = POLLOUT, .revents = 0};
    ::poll(&waiting, 1, -1);
  } else if (errno != EINTR) {
    throw std::system_error(errno, std::generic_category(), std::string("cannot write ") + name_of(descriptor_));
  }
  return true;
}

bool ByteSink::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
    if (n >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(n));
    else if (!wait_writable())
      return false;
  }
  return true;
}

bool ByteSink::write(const TaskOutput& file, ByteRange range) {
  while (!range.empty()) {
    auto at = static_cast<off_t>(range.begin);
    const ssize_t n = ::sendfile(descriptor_, file.descriptor(), &at, std::min<std::uint64_t>(range.size(), 1 << 30));
    if (n == 0) return true;  // the file is shorter than it was said to be
    if (n > 0) {
      range.begin += static_cast<std::uint64_t>(n);
    } else if (errno == EINVAL || errno == ENOSYS) {  // a file opened for appending, some devices
      std::array<char, 64 << 10> chunk;
      const std::size_t got =
          file.read(range.begin, std::span(chunk).first(std::min<std::uint64_t>(range.size(), chunk.size())));
      if (got == 0) return true;
      if (!write(std::string_view(chunk.data(), got))) return false;
      range.begin += got;
    } else if (!wait_writable()) {
      return false;
    }
  }
  return true;
}

}  // namespace bulkhead
