#include "os/tee.hpp"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace bulkhead::os {

Tee::Tee(Fd from, std::size_t keep) : from_(std::move(from)), keep_(keep) { set_nonblocking(from_); }

Tee::Passed Tee::pass_on() {
  if (!from_) return Passed::nothing_more;
  // Our standard error is not ours to make non-blocking; what is writable takes this much without blocking.
  std::array<char, PIPE_BUF> block;
  pollfd out{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&out, 1, 0) == 0) return Passed::blocked;
  const std::ptrdiff_t n = read_some(from_, std::as_writable_bytes(std::span(block)));
  if (n <= 0) return Passed::nothing_more;
  const std::string_view said(block.data(), static_cast<std::size_t>(n));
  tail_.append(said);
  if (tail_.size() > keep_) tail_.erase(0, tail_.size() - keep_);
  for (std::string_view rest = said; !rest.empty();) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written <= 0) break;  // nobody will ever read it
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return Passed::something;
}

void become_standard_error(Fd fd) {
  if (::dup2(fd.get(), STDERR_FILENO) < 0) throw_errno("dup2");
}

}  // namespace bulkhead::os
