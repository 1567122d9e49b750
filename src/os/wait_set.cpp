#include <bulkhead/wait_set.hpp>

#include "os/fd.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace bulkhead {

WaitSet::WaitSet() : set_(-1), timer_(-1) {
  os::Fd set(::epoll_create1(EPOLL_CLOEXEC));
  if (!set) os::throw_errno("epoll_create1");
  os::Fd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) os::throw_errno("timerfd_create");
  timer = os::above_standard_streams(std::move(timer));
  set = os::above_standard_streams(std::move(set));
  epoll_event event{.events = EPOLLIN, .data = {}};
  if (::epoll_ctl(set.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0) os::throw_errno("epoll_ctl");
  set_ = set.release();
  timer_ = timer.release();
}

WaitSet::WaitSet(WaitSet&& other) noexcept
    : set_(std::exchange(other.set_, -1)),
      timer_(std::exchange(other.timer_, -1)),
      watched_(std::exchange(other.watched_, -1)) {}

WaitSet& WaitSet::operator=(WaitSet&& other) noexcept {
  std::swap(set_, other.set_);
  std::swap(timer_, other.timer_);
  std::swap(watched_, other.watched_);
  return *this;
}

WaitSet::~WaitSet() {
  if (timer_ >= 0) ::close(timer_);
  if (set_ >= 0) ::close(set_);
}

int WaitSet::wait_for(int watched, WorkClock::time_point due) noexcept {
  if (watched != watched_) {
    if (watched_ >= 0) ::epoll_ctl(set_, EPOLL_CTL_DEL, watched_, nullptr);
    epoll_event event{.events = EPOLLIN, .data = {}};
    watched_ = watched >= 0 && ::epoll_ctl(set_, EPOLL_CTL_ADD, watched, &event) == 0 ? watched : -1;
  }
  itimerspec when{};  // all nought: disarmed
  if (due != never) {
    // steady_clock, which WorkClock follows, is CLOCK_MONOTONIC
    const std::chrono::nanoseconds at =
        std::max(due.time_since_epoch() + WorkClock::suspended(), std::chrono::nanoseconds(1));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
    when.it_value = {.tv_sec = seconds.count(), .tv_nsec = (at - seconds).count()};
  }
  ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  return set_;
}

}  // namespace bulkhead
