#include "os/descriptor_socket.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <tuple>

namespace bulkhead::os {

namespace {

constexpr std::size_t most_descriptors = std::tuple_size_v<Descriptors>;
using Control = std::array<char, CMSG_SPACE(most_descriptors * sizeof(int))>;

}  // namespace

std::pair<DescriptorSocket, DescriptorSocket> DescriptorSocket::make_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    throw_errno("socketpair");
  Fd first(ends[0]), second(ends[1]);
  return {DescriptorSocket(kept_from_children(std::move(first))),
          DescriptorSocket(kept_from_children(std::move(second)))};
}

bool DescriptorSocket::send(std::span<const std::byte> message, std::span<const int> descriptors) noexcept {
  iovec part{const_cast<std::byte*>(message.data()), message.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) Control control{};
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  for (;;) {
    const ssize_t n = ::sendmsg(fd_.get(), &header, MSG_NOSIGNAL);
    if (n >= 0) return true;
    if (errno != EINTR) return false;
  }
}

void DescriptorSocket::shut_down() noexcept { ::shutdown(fd_.get(), SHUT_RDWR); }

DescriptorSocket::Receipt DescriptorSocket::receive(std::span<std::byte> message, Descriptors& descriptors) {
  descriptors = {};
  iovec part{message.data(), message.size()};
  alignas(cmsghdr) Control control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t n = 0;
  do n = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN ? Receipt::nothing_now : Receipt::peer_gone;
  for (cmsghdr* rights = CMSG_FIRSTHDR(&header); rights != nullptr; rights = CMSG_NXTHDR(&header, rights)) {
    if (rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) continue;
    std::array<int, most_descriptors> numbers{};
    const std::size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::memcpy(numbers.data(), CMSG_DATA(rights), count * sizeof(int));
    for (std::size_t i = 0; i < count; ++i) descriptors[i] = kept_from_children(Fd(numbers[i]));
  }
  return static_cast<std::size_t>(n) == message.size() ? Receipt::message : Receipt::peer_gone;
}

}  // namespace bulkhead::os
