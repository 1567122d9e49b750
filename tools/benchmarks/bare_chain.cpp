#include "bare_chain.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <new>
#include <stdexcept>

namespace bench {
namespace {

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

void require(bool holds) {
  if (!holds) throw std::runtime_error("bare chain: a system call failed");
}

}  // namespace

BareChain::BareChain() {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED);
  shared_ = new (memory) Shared;
  asked_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  require(asked_ >= 0 && ::pipe2(answers_.data(), O_CLOEXEC) == 0);
  worker_.start([this] { work(); });
  loop_ = std::thread([this] { serve(); });
}

BareChain::~BareChain() {
  closed_ = true;
  ::eventfd_write(asked_, 1);
  loop_.join();
  ::close(asked_);
  for (const int end : answers_) ::close(end);
  ::munmap(shared_, sizeof(Shared));
}

std::uint64_t BareChain::ask(std::uint64_t item) {
  std::promise<std::uint64_t> promise;
  std::future<std::uint64_t> future = promise.get_future();
  {
    const std::lock_guard lock(mutex_);
    request_.emplace(item, std::move(promise));
  }
  ::eventfd_write(asked_, 1);
  return future.get();
}

void BareChain::serve() {
  std::array<pollfd, 2> ends{{{asked_, POLLIN, 0}, {answers_[0], POLLIN, 0}}};
  while (!closed_) {
    ::poll(ends.data(), ends.size(), -1);
    if (ends[0].revents != 0) hand_over();
    std::uint64_t result = 0;
    if (ends[1].revents != 0 && ::read(answers_[0], &result, sizeof result) == sizeof result)
      in_hand_->set_value(result);
  }
}

void BareChain::hand_over() {
  eventfd_t ignored = 0;
  ::eventfd_read(asked_, &ignored);
  const std::lock_guard lock(mutex_);
  if (!request_) return;
  shared_->item = request_->first;
  in_hand_ = std::move(request_->second);
  request_.reset();
  ++shared_->bell;
  futex(shared_->bell, FUTEX_WAKE, 1);
}

void BareChain::work() {
  for (std::uint32_t heard = 0;; ++heard) {
    while (shared_->bell == heard) futex(shared_->bell, FUTEX_WAIT, heard);
    const std::uint64_t result = shared_->item * shared_->item;
    if (::write(answers_[1], &result, sizeof result) < 0) return;
  }
}

}  // namespace bench
