// Messages between processes over a pipe or a socket, and memory that several processes see.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace bulkhead {

/// One end of a connection that carries whole messages both ways: the `send()` and `recv()` over a pipe or a network
/// socket of the article on threads, queues and processes this is ported from.
///
/// On the wire a message is its length in bytes, 64 bits little-endian, and then the bytes. Move-only; descriptors are
/// close-on-exec. One thread may send while another receives; two threads may not do the same thing at once. A fork
/// copies both ends: each process should close() or destroy the one it does not use, since a peer counts as gone only
/// when every copy of its end is closed.
class Channel {
 public:
  static constexpr std::uint64_t default_max_message_bytes = std::uint64_t{1} << 30;

  /// Takes over a connected stream socket, TCP or local. Throws std::invalid_argument if `descriptor` is not one (it
  /// remains the caller's then).
  static Channel from_descriptor(int descriptor);

  Channel(Channel&& other) noexcept;
  Channel& operator=(Channel&& other) noexcept;
  ~Channel() { close(); }

  /// Sends one message, which may be empty, waiting while the peer is behind. Throws std::system_error if the peer has
  /// gone (EPIPE, ECONNRESET; no SIGPIPE is raised) or the channel is closed (EBADF); after a failure a part of the
  /// message may be on its way, so close the channel.
  void send(std::span<const std::byte> message);

  /// Waits for one message. nullopt: the peer has closed its end between two messages. Throws std::runtime_error if it
  /// did so in the middle of one or announces more than the limit (nothing can be received after either), and
  /// std::system_error as send() does. Memory is taken as bytes arrive, never for a mere announcement.
  std::optional<std::vector<std::byte>> recv();

  /// The longest message recv() accepts, in bytes; default 1 GiB.
  void set_max_message_bytes(std::uint64_t bytes) noexcept { max_message_bytes_ = bytes; }

  /// Closes this end; does nothing if it is closed.
  void close() noexcept;

 private:
  friend std::pair<Channel, Channel> make_pipe_channel();
  friend std::pair<Channel, Channel> make_socket_channel();
  Channel(int in, int out) noexcept : in_(in), out_(out) {}
  std::size_t read_up_to(std::span<std::byte> into) const;

  int in_ = -1, out_ = -1;  // the same one for a socket
  bool out_of_step_ = false;
  std::uint64_t max_message_bytes_ = default_max_message_bytes;
};

/// Two connected ends over a pair of pipes; both send and receive. Throws std::system_error.
std::pair<Channel, Channel> make_pipe_channel();

/// Two connected ends over a local stream socket; both send and receive. Throws std::system_error.
std::pair<Channel, Channel> make_socket_channel();

/// Memory that every process forked after its making sees, changes included: the memory-mapped region of the article
/// on threads, queues and processes this is ported from. Zero at first. Nothing orders the accesses: use atomics that
/// are lock-free, or a Channel to take turns. Move-only; each process unmaps its own view, the last one frees it.
class SharedRegion {
 public:
  /// `size` in bytes. Throws std::invalid_argument for 0, std::system_error if there is no such memory.
  explicit SharedRegion(std::size_t size);
  SharedRegion(SharedRegion&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  SharedRegion& operator=(SharedRegion&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~SharedRegion();

  /// Aligned to a page. Empty after being moved from.
  std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace bulkhead
