#include "bare_lane.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace bench {
namespace {

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

template <class T>
T* map(int flags, int fd) {
  void* const place = ::mmap(nullptr, sizeof(T) * workers, PROT_READ | PROT_WRITE, flags, fd, 0);
  require_of_lanes(place != MAP_FAILED, "mmap");
  return static_cast<T*>(place);
}

}  // namespace

void require_of_lanes(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(std::string("bare lanes: ") + what);
}

void advise_huge(void* memory, std::size_t size) {
  constexpr std::uintptr_t page = 4096;
  const auto from = (reinterpret_cast<std::uintptr_t>(memory) + page - 1) & ~(page - 1);
  const auto to = (reinterpret_cast<std::uintptr_t>(memory) + size) & ~(page - 1);
  if (from < to) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
}

void write_or_leave(int pipe, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(pipe, bytes.data(), bytes.size());
    if (n <= 0) ::_exit(1);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void sleep_at(Lane& lane, LanePage& page, std::uint64_t head) {
  const std::uint32_t heard = lane.bell.load();
  page.asleep.store(1);
  if (lane.tail.load() == head) {
    if (lane.stop.load() != 0) ::_exit(0);
    futex(lane.bell, FUTEX_WAIT, heard);
  }
  page.asleep.store(0);
}

LaneWorkers::LaneWorkers(const Life& life) {
  queue_ = ::memfd_create("bare-lanes", MFD_CLOEXEC);
  require_of_lanes(queue_ >= 0 && ::ftruncate(queue_, sizeof(Lane) * workers) == 0, "memfd_create");
  lanes_ = map<Lane>(MAP_SHARED | MAP_POPULATE, queue_);
  pages_ = map<LanePage>(MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1);
  for (std::size_t w = 0; w < workers; ++w) {
    lanes_[w].taken_back_from = ~std::uint64_t{0};
    start(w, life);
  }
}

LaneWorkers::~LaneWorkers() {
  for (std::size_t w = 0; w < workers; ++w) {
    lanes_[w].stop = 1;
    ring(w);
    ::waitpid(pids_[w], nullptr, 0);
    ::close(pipes_[w].fd);
  }
  ::munmap(lanes_, sizeof(Lane) * workers);
  ::munmap(pages_, sizeof(LanePage) * workers);
  ::close(queue_);
}

void LaneWorkers::start(std::size_t w, const Life& life) {
  std::array<int, 2> ends{};
  require_of_lanes(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe2");
  ::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
  pids_[w] = ::fork();
  require_of_lanes(pids_[w] >= 0, "fork");
  if (pids_[w] == 0) {
    ::mmap(lanes_, sizeof(Lane) * workers, PROT_READ, MAP_SHARED | MAP_FIXED, queue_, 0);
    life(lanes_[w], pages_[w], ends[1]);
  }
  ::close(ends[1]);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  pipes_[w] = {ends[0], POLLIN, 0};
}

void LaneWorkers::fill(std::uint64_t& next, std::uint64_t end) {
  for (std::size_t w = 0; w < workers; ++w) {
    Lane& lane = lanes_[w];
    const std::uint64_t room = lane_slots - (dealt_[w] - answered_[w]);
    if (next == end || room < lane_slots / 4) continue;
    for (std::uint64_t i = std::min(room, end - next); i > 0; --i, ++next, ++dealt_[w])
      lane.slots[dealt_[w] % lane_slots] = {next, next};
    lane.tail.store(dealt_[w], std::memory_order_seq_cst);
    if (pages_[w].asleep.load() != 0) ring(w);
  }
}

std::size_t LaneWorkers::read(std::size_t w, std::span<std::byte> into) {
  const ssize_t n = ::read(pipes_[w].fd, into.data(), into.size());
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

void LaneWorkers::ring(std::size_t w) {
  lanes_[w].bell.fetch_add(1);
  futex(lanes_[w].bell, FUTEX_WAKE, 1);
}

}  // namespace bench
