#include "bare_transport.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

namespace bench {
namespace {

constexpr std::size_t batch_bytes = 32u << 10;
constexpr std::size_t window_bytes = 2u << 20;  // of 0.25 to 8 MiB the fastest here

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

void require(bool holds) {
  if (!holds) throw std::runtime_error("bare transport: a system call failed");
}

void write_all(int pipe, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(pipe, bytes.data(), bytes.size());
    if (n <= 0) ::_exit(1);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void echo(const char* slot, std::size_t bytes, std::string& batch) {
  static std::string item;
  item.assign(slot, bytes);
  batch += item;
}

}  // namespace

BareTransport::BareTransport(std::size_t item_bytes) : BareTransport(item_bytes, item_bytes, echo) {}

BareTransport::BareTransport(std::size_t item_bytes, std::size_t result_bytes, Answer answer)
    : bytes_(item_bytes),
      result_bytes_(result_bytes),
      window_(std::clamp<std::size_t>(window_bytes / item_bytes, 2, 4096)),
      answer_(answer) {
  for (std::size_t w = 0; w < workers; ++w) {
    Lane& lane = lanes_[w];
    void* const memory = ::mmap(nullptr, sizeof(Head) + window_ * bytes_, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    require(memory != MAP_FAILED);
    lane.head = new (memory) Head;
    lane.slots = static_cast<char*>(memory) + sizeof(Head);
    lane.numbers.resize(window_);
    lane.partial.resize(result_bytes_);
    std::array<int, 2> pipe{};
    require(::pipe2(pipe.data(), O_CLOEXEC) == 0);
    ::fcntl(pipe[1], F_SETPIPE_SZ, 1 << 20);
    children_.start([&] { work(lane, pipe[1]); });
    ::close(pipe[1]);
    ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
    pipes_[w] = pipe[0];
  }
}

BareTransport::~BareTransport() {
  for (std::size_t w = 0; w < workers; ++w) {
    ::close(pipes_[w]);
    ::munmap(static_cast<void*>(lanes_[w].head), sizeof(Head) + window_ * bytes_);
  }
}

void BareTransport::work(const Lane& lane, int pipe) const {
  std::string item, batch;
  for (std::uint32_t done = 0;; ++done) {
    while (lane.head->sent.load() == done) {
      write_all(pipe, std::exchange(batch, {}));
      lane.head->asleep = 1;
      if (lane.head->sent.load() == done) futex(lane.head->sent, FUTEX_WAIT, done);
      lane.head->asleep = 0;
    }
    const char* const slot = lane.slots + done % window_ * bytes_;
    if (bytes_ >= batch_bytes) {
      item.assign(slot, bytes_);
      write_all(pipe, item);
      continue;
    }
    answer_(slot, bytes_, batch);
    if (batch.size() >= batch_bytes) {
      write_all(pipe, batch);
      batch.clear();
    }
  }
}

// A slot is free again when its result has come. Waits until a quarter of them are, so that wake-ups are few.
bool BareTransport::fill(Lane& lane, std::size_t& next, std::size_t count,
                         const std::function<const std::string&(std::size_t)>& item) {
  const std::size_t room = window_ - (lane.sent - lane.received);
  const std::size_t fills = room * 4 < window_ ? 0 : std::min(room, count - next);
  for (std::size_t i = 0; i < fills; ++i, ++next, ++lane.sent) {
    const std::size_t slot = lane.sent % window_;
    lane.numbers[slot] = next;
    std::memcpy(lane.slots + slot * bytes_, item(next).data(), bytes_);
    if (bytes_ >= batch_bytes) lane.head->sent.store(lane.sent + 1);
    if (bytes_ >= batch_bytes && lane.head->asleep.load() != 0) futex(lane.head->sent, FUTEX_WAKE, 1);
  }
  if (fills == 0) return false;
  lane.head->sent.store(lane.sent);
  if (lane.head->asleep.load() != 0) futex(lane.head->sent, FUTEX_WAKE, 1);
  return true;
}

std::size_t BareTransport::take_small(Lane& lane, std::string_view bytes,
                                      const std::function<void(std::size_t, const std::string&)>& take) {
  std::size_t taken = 0;
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), result_bytes_ - lane.filled);
    std::memcpy(lane.partial.data() + lane.filled, bytes.data(), n);
    bytes.remove_prefix(n);
    lane.filled += n;
    if (lane.filled < result_bytes_) break;
    take(lane.numbers[lane.received++ % window_], lane.partial);
    lane.filled = 0;
    ++taken;
  }
  return taken;
}

// Large results are read to where they will lie; small ones are read by the batch.
std::size_t BareTransport::receive(Lane& lane, int pipe,
                                   const std::function<void(std::size_t, const std::string&)>& take) {
  static thread_local std::vector<char> buffer(256u << 10);
  if (bytes_ < batch_bytes) {
    const ssize_t n = ::read(pipe, buffer.data(), buffer.size());
    return n > 0 ? take_small(lane, {buffer.data(), static_cast<std::size_t>(n)}, take) : 0;
  }
  const ssize_t n = ::read(pipe, lane.partial.data() + lane.filled, bytes_ - lane.filled);
  if (n > 0) lane.filled += static_cast<std::size_t>(n);
  if (lane.filled < bytes_) return 0;
  take(lane.numbers[lane.received++ % window_], lane.partial);
  lane.filled = 0;
  return 1;
}

void BareTransport::run(std::size_t count, const std::function<const std::string&(std::size_t)>& item,
                        const std::function<void(std::size_t, const std::string&)>& take) {
  std::array<pollfd, workers> ends{};
  for (std::size_t w = 0; w < workers; ++w) ends[w] = {pipes_[w], POLLIN, 0};
  std::size_t next = 0;
  for (std::size_t done = 0; done < count;) {
    for (Lane& lane : lanes_) fill(lane, next, count, item);
    ::poll(ends.data(), ends.size(), -1);
    for (std::size_t w = 0; w < workers; ++w)
      if (ends[w].revents != 0) done += receive(lanes_[w], pipes_[w], take);
  }
}

}  // namespace bench
