// Blocking transfers over pipes and stream sockets that never raise SIGPIPE.
#pragma once

#include "os/fd.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace bulkhead::os {

/// Two connected local stream sockets, close-on-exec, above 2.
std::pair<Fd, Fd> make_socket_pair();

/// Whether `fd` is a connected stream socket.
bool is_connected_stream_socket(int fd) noexcept;

void set_close_on_exec(int fd);

/// Writes all of `head`, then all of `body`, also to a non-blocking descriptor. Throws std::system_error, EPIPE where
/// the reader has gone.
void send_all(int fd, std::span<const std::byte> head, std::span<const std::byte> body);

/// Writes what a non-blocking descriptor takes now, perhaps nothing. False where the reader has gone. Throws
/// std::system_error.
bool send_some(int fd, std::string_view bytes, std::size_t& sent);

/// Reads once, waiting for something to read; 0 at the end of the stream.
std::size_t receive_some(int fd, std::span<std::byte> into);

}  // namespace bulkhead::os
