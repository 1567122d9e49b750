#include <bulkhead/append_log.hpp>

#include "os/fd.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace bulkhead {

void AppendLog::fail(const char* verb) const {
  throw std::system_error(errno, std::generic_category(), std::string("cannot ") + verb + " " + path_);
}

namespace {

// Who holds the reading end of a pipe himself is never told that the reader has gone.
int access_of(const char* path) noexcept {
  struct stat info {};
  return ::stat(path, &info) == 0 && S_ISFIFO(info.st_mode) ? O_WRONLY : O_RDWR;
}

}  // namespace

AppendLog::AppendLog(const std::string& path) : path_(path), descriptor_(-1) {
  os::Fd file(::open(path.c_str(), access_of(path.c_str()) | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (!file) fail("open");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) fail("lock");
  descriptor_ = os::above_standard_streams(std::move(file)).release();
}

AppendLog::AppendLog(AppendLog&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

AppendLog& AppendLog::operator=(AppendLog&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

AppendLog::~AppendLog() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint64_t AppendLog::size() const {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) fail("look at");
  return static_cast<std::uint64_t>(info.st_size);
}

namespace {

std::string read_range(int descriptor, std::uint64_t begin, std::uint64_t end) {
  std::string text(end - begin, '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::pread(descriptor, text.data() + done, text.size() - done, static_cast<off_t>(begin + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  text.resize(done);
  return text;
}

}  // namespace

std::string AppendLog::head(std::size_t limit) const {
  return read_range(descriptor_, 0, std::min<std::uint64_t>(limit, size()));
}

void AppendLog::cut_torn_tail(const std::function<bool(std::string_view)>& whole) {
  constexpr std::uint64_t step = 64 << 10;
  const std::uint64_t all = size();
  std::uint64_t begin = all;
  std::string text;
  for (;;) {
    // Seen from the end: the last newline that closes a whole line is where the log ends.
    for (std::size_t close = text.rfind('\n'); close != std::string::npos && close > 0;) {
      const std::size_t before = text.rfind('\n', close - 1);
      if (before == std::string::npos && begin > 0) break;  // the line starts before what we have read
      const std::size_t start = before == std::string::npos ? 0 : before + 1;
      if (whole(std::string_view(text).substr(start, close - start))) {
        const std::uint64_t keep = begin + close + 1;
        if (keep < all && ::ftruncate(descriptor_, static_cast<off_t>(keep)) != 0) fail("shorten");
        return;
      }
      close = before;
    }
    if (begin == 0) break;
    const std::uint64_t earlier = begin > step ? begin - step : 0;
    text.insert(0, read_range(descriptor_, earlier, begin));
    begin = earlier;
  }
  if (all > 0 && ::ftruncate(descriptor_, 0) != 0) fail("shorten");
}

void AppendLog::append(std::string_view line) {
  while (!line.empty()) {
    const ssize_t n = ::write(descriptor_, line.data(), line.size());
    if (n >= 0)
      line.remove_prefix(static_cast<std::size_t>(n));
    else if (errno != EINTR)
      fail("write to");
  }
}

void AppendLog::check_in_place() const {
  struct stat ours {
  }, there{};
  if (::fstat(descriptor_, &ours) != 0) fail("look at");
  if (::stat(path_.c_str(), &there) == 0 && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino) return;
  throw std::system_error(ENOENT, std::generic_category(),
                          path_ + " was removed or replaced while it was being written; what was written is lost");
}

}  // namespace bulkhead
