// A local socket that carries small messages, whole, together with open descriptors.
#pragma once

#include "os/fd.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace bulkhead::os {

/// That came with a message; those behind the last are empty.
using Descriptors = std::array<Fd, 4>;

/// One end. Never blocks. Both ends are private to the processes that hold them.
class DescriptorSocket {
 public:
  explicit DescriptorSocket(Fd fd) noexcept : fd_(std::move(fd)) {}
  static std::pair<DescriptorSocket, DescriptorSocket> make_pair();

  /// False: the peer has gone, or does not take in what it was sent.
  bool send(std::span<const std::byte> message, std::span<const int> descriptors = {}) noexcept;

  enum class Receipt { message, nothing_now, peer_gone };
  /// Fills `message`; one of another size is not ours and counts as the peer having gone. Received descriptors are
  /// close-on-exec and above 2.
  Receipt receive(std::span<std::byte> message, Descriptors& descriptors);

  /// The peer reads the end of the stream, whoever else has a copy of this end: a child of the host's own, say.
  void shut_down() noexcept;

  const Fd& fd() const noexcept { return fd_; }

 private:
  Fd fd_;
};

}  // namespace bulkhead::os
