#include <bulkhead/byte_sink.hpp>

#include "os/fd.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace bulkhead {

namespace {

const char* name_of(int stream) { return stream == 1 ? "standard output" : "standard error"; }

// Pipes and terminals can be opened once more; the flag that keeps us from waiting is then ours alone.
int open_again(int stream) {
  const std::string path = "/proc/self/fd/" + std::to_string(stream);
  os::Fd again(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  return again ? os::kept_from_children(std::move(again)).release() : -1;
}

}  // namespace

ByteSink::ByteSink(int stream) : stream_(stream) {
  struct stat info {};
  if (::fstat(stream, &info) != 0) return;  // writing will tell
  is_socket_ = S_ISSOCK(info.st_mode);
  if (S_ISFIFO(info.st_mode) || is_terminal()) {
    own_ = open_again(stream);
    may_block_ = own_ < 0;
  }
}

ByteSink::ByteSink(ByteSink&& other) noexcept
    : stream_(other.stream_),
      own_(std::exchange(other.own_, -1)),
      may_block_(other.may_block_),
      is_socket_(other.is_socket_) {}

ByteSink::~ByteSink() { os::Fd(own_).reset(); }

bool ByteSink::is_terminal() const noexcept { return ::isatty(stream_) == 1; }

unsigned ByteSink::columns() const noexcept {
  winsize size{};
  return ::ioctl(stream_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool ByteSink::in_foreground() const noexcept {
  const pid_t job = ::tcgetpgrp(stream_);
  return job < 0 || job == ::getpgrp();
}

bool ByteSink::is_same_as(const ByteSink& other) const noexcept {
  struct stat mine {};
  struct stat theirs {};
  return ::fstat(stream_, &mine) == 0 && ::fstat(other.stream_, &theirs) == 0 && mine.st_dev == theirs.st_dev &&
         mine.st_ino == theirs.st_ino;
}

std::optional<std::uint64_t> ByteSink::result_of(std::int64_t written) const {
  if (written >= 0) return static_cast<std::uint64_t>(written);
  if (errno == EPIPE) return std::nullopt;
  if (errno == EAGAIN || errno == EINTR) return 0;
  throw std::system_error(errno, std::generic_category(), std::string("cannot write ") + name_of(stream_));
}

std::optional<std::uint64_t> ByteSink::write_some(std::string_view bytes) {
  if (is_socket_) return result_of(::send(stream_, bytes.data(), bytes.size(), MSG_DONTWAIT));
  if (may_block_) {  // a pipe with room has room for this many
    if (!wait_for_room(std::chrono::milliseconds(0))) return 0;
    bytes = bytes.substr(0, PIPE_BUF);
  }
  return result_of(::write(descriptor(), bytes.data(), bytes.size()));
}

std::optional<std::uint64_t> ByteSink::write_some(const TaskOutput& file, ByteRange range) {
  if (!is_socket_ && !may_block_) {
    constexpr std::uint64_t most = 1 << 30;
    auto at = static_cast<off_t>(range.begin);
    const ssize_t n = ::sendfile(descriptor(), file.descriptor(), &at, std::min(range.size(), most));
    if (n == 0) return range.size();  // the file is shorter than it was said to be
    if (n > 0 || (errno != EINVAL && errno != ENOSYS)) return result_of(n);
  }  // else: a file opened for appending, some devices
  std::array<char, 64 << 10> chunk;
  const std::size_t got =
      file.read(range.begin, std::span(chunk).first(std::min<std::uint64_t>(range.size(), chunk.size())));
  return got == 0 ? range.size() : write_some(std::string_view(chunk.data(), got));
}

bool ByteSink::wait_for_room(std::chrono::milliseconds longest) const noexcept {
  pollfd waiting{.fd = descriptor(), .events = POLLOUT, .revents = 0};
  return ::poll(&waiting, 1, static_cast<int>(longest.count())) > 0;
}

bool ByteSink::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = write_some(bytes);
    if (!written) return false;
    bytes.remove_prefix(*written);
    if (*written == 0) wait_for_room(std::chrono::hours(1));
  }
  return true;
}

}  // namespace bulkhead
