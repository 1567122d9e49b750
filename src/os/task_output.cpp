#include <bulkhead/task_output.hpp>

#include "os/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

namespace bulkhead {

namespace {

int open_nameless(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  std::string name = directory + "/bulkhead-XXXXXX";  // a file system without O_TMPFILE
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named < 0)
    throw std::system_error(errno, std::generic_category(), "cannot make a temporary file in " + directory);
  ::unlink(name.c_str());
  return named;
}

}  // namespace

TaskOutput::TaskOutput() {
  const char* wish = std::getenv("TMPDIR");
  descriptor_ = os::above_standard_streams(os::Fd(open_nameless(wish && *wish ? wish : "/tmp"))).release();
}

TaskOutput::TaskOutput(TaskOutput&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), unused_(other.unused_) {}

TaskOutput& TaskOutput::operator=(TaskOutput&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(unused_, other.unused_);
  return *this;
}

TaskOutput::~TaskOutput() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint64_t TaskOutput::size() const {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) os::throw_errno("fstat");
  return static_cast<std::uint64_t>(info.st_size);
}

std::size_t TaskOutput::read(std::uint64_t at, std::span<char> into) const {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = ::pread(descriptor_, into.data() + done, into.size() - done, static_cast<off_t>(at + done));
    if (n == 0) break;
    if (n > 0)
      done += static_cast<std::size_t>(n);
    else if (errno != EINTR)
      os::throw_errno("pread");
  }
  return done;
}

void TaskOutput::discard(ByteRange range) noexcept {
  constexpr std::uint64_t worth_a_call = 1 << 20;
  if (range.empty()) return;
  unused_ = unused_.end == range.begin ? ByteRange{unused_.begin, range.end} : range;
  if (unused_.size() < worth_a_call) return;
  ::fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(unused_.begin),
              static_cast<off_t>(unused_.size()));
  unused_.begin = unused_.end;
}

}  // namespace bulkhead
