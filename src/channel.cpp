#include <bulkhead/channel.hpp>

#include "os/fd.hpp"
#include "os/shared_memory.hpp"
#include "os/socket.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

namespace bulkhead {
namespace {

using Header = std::array<std::byte, 8>;

Header header_of(std::uint64_t length) {
  Header header;
  for (std::size_t i = 0; i < header.size(); ++i) header[i] = static_cast<std::byte>(length >> (8 * i));
  return header;
}

std::uint64_t length_in(const Header& header) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < header.size(); ++i) length |= std::to_integer<std::uint64_t>(header[i]) << (8 * i);
  return length;
}

constexpr std::size_t first_room = 64 * 1024;  // what an announcement alone can make us allocate

}  // namespace

Channel Channel::from_descriptor(int descriptor) {
  if (!os::is_connected_stream_socket(descriptor))
    throw std::invalid_argument("bulkhead::Channel::from_descriptor(): descriptor " + std::to_string(descriptor) +
                                " is not a connected stream socket");
  os::set_close_on_exec(descriptor);
  return Channel(descriptor, descriptor);
}

Channel::Channel(Channel&& other) noexcept
    : in_(std::exchange(other.in_, -1)),
      out_(std::exchange(other.out_, -1)),
      out_of_step_(other.out_of_step_),
      max_message_bytes_(other.max_message_bytes_) {}

Channel& Channel::operator=(Channel&& other) noexcept {
  if (this == &other) return *this;
  close();
  in_ = std::exchange(other.in_, -1);
  out_ = std::exchange(other.out_, -1);
  out_of_step_ = other.out_of_step_;
  max_message_bytes_ = other.max_message_bytes_;
  return *this;
}

void Channel::close() noexcept {
  const os::Fd in(in_), out(in_ == out_ ? -1 : out_);
  in_ = out_ = -1;
}

void Channel::send(std::span<const std::byte> message) { os::send_all(out_, header_of(message.size()), message); }

// Fewer bytes than asked for: the stream ended.
std::size_t Channel::read_up_to(std::span<std::byte> into) const {
  std::size_t got = 0;
  while (got < into.size()) {
    const std::size_t n = os::receive_some(in_, into.subspan(got));
    if (n == 0) break;
    got += n;
  }
  return got;
}

std::optional<std::vector<std::byte>> Channel::recv() {
  if (out_of_step_)
    throw std::runtime_error(
        "bulkhead::Channel::recv(): an earlier message broke off or was refused; close the channel");
  Header header;
  const std::size_t got = read_up_to(header);
  if (got == 0) return std::nullopt;
  out_of_step_ = true;  // until the whole message is here
  if (got < header.size())
    throw std::runtime_error("bulkhead::Channel::recv(): the peer closed in the middle of a message");
  const std::uint64_t length = length_in(header);
  if (length > max_message_bytes_)
    throw std::runtime_error("bulkhead::Channel::recv(): a message of " + std::to_string(length) +
                             " bytes is announced, the limit is " + std::to_string(max_message_bytes_) +
                             "; see set_max_message_bytes()");
  std::vector<std::byte> message;
  while (message.size() < length) {
    const std::size_t start = message.size();
    message.resize(std::min<std::uint64_t>(length, std::max(first_room, 2 * start)));
    if (read_up_to(std::span(message).subspan(start)) < message.size() - start)
      throw std::runtime_error("bulkhead::Channel::recv(): the peer closed in the middle of a message");
  }
  out_of_step_ = false;
  return message;
}

std::pair<Channel, Channel> make_pipe_channel() {
  os::Pipe there = os::make_pipe(first_room), back = os::make_pipe(first_room);
  return {Channel(back.read_end.release(), there.write_end.release()),
          Channel(there.read_end.release(), back.write_end.release())};
}

std::pair<Channel, Channel> make_socket_channel() {
  auto [first, second] = os::make_socket_pair();
  const int a = first.release(), b = second.release();
  return {Channel(a, a), Channel(b, b)};
}

SharedRegion::SharedRegion(std::size_t size) {
  if (size == 0) throw std::invalid_argument("bulkhead::SharedRegion: size 0; give at least 1 byte");
  bytes_ = os::map_shared(size);
}

SharedRegion::~SharedRegion() { os::unmap_shared(bytes_); }

}  // namespace bulkhead
