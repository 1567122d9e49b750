#include <bulkhead/byte_source.hpp>

#include "os/fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace bulkhead {

ByteSource::ByteSource(std::string name, int descriptor, bool owned)
    : name_(std::move(name)), descriptor_(descriptor), owned_(owned) {}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : name_(std::move(other.name_)), descriptor_(std::exchange(other.descriptor_, -1)), owned_(other.owned_) {}

ByteSource& ByteSource::operator=(ByteSource&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(owned_, other.owned_);
  return *this;
}

ByteSource::~ByteSource() {
  if (owned_ && descriptor_ >= 0) ::close(descriptor_);
}

ByteSource ByteSource::open(const std::string& path) {
  os::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) throw std::system_error(errno, std::generic_category(), "cannot open " + path);
  return {path, os::above_standard_streams(std::move(file)).release(), true};
}

ByteSource ByteSource::standard_input() { return {"standard input", STDIN_FILENO, false}; }

bool ByteSource::readable() const noexcept {
  pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 0) > 0;
}

std::size_t ByteSource::read(std::span<char> into) {
  for (;;) {
    const ssize_t n = ::read(descriptor_, into.data(), into.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EAGAIN) {  // somebody else made it non-blocking; the flag is shared, so we leave it
      pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
      ::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "cannot read " + name_);
    }
  }
}

}  // namespace bulkhead
