#include "os/poller.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace bulkhead::os {

Poller::Poller() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!fd_) throw_errno("epoll_create1");
  fd_ = kept_from_children(std::move(fd_));
}

bool Poller::watch(int fd, std::uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  if (::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return true;
  if (errno == EPERM) return false;
  throw_errno("epoll_ctl(ADD)");
}

void Poller::forget(int fd) noexcept { ::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }

std::span<const std::uint64_t> Poller::wait(std::chrono::nanoseconds timeout) {
  using std::chrono::milliseconds;
  const auto rounded = std::chrono::ceil<milliseconds>(std::max(timeout, std::chrono::nanoseconds(0)));
  const auto bounded = std::min<milliseconds::rep>(rounded.count(), 3'600'000);
  std::array<epoll_event, max_ready> events;
  const int n = ::epoll_wait(fd_.get(), events.data(), static_cast<int>(max_ready), static_cast<int>(bounded));
  if (n < 0 && errno != EINTR) throw_errno("epoll_wait");
  const auto ready = static_cast<std::size_t>(std::max(n, 0));
  for (std::size_t i = 0; i < ready; ++i) keys_[i] = events[i].data.u64;
  return std::span(keys_).first(ready);
}

}  // namespace bulkhead::os
