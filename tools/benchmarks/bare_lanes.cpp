#include "tiny_peers.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace bench {

namespace {

constexpr std::uint32_t lane_slots = 4096;
constexpr std::size_t batch_bytes = 32u << 10;

struct Descriptor {
  std::uint64_t task, item;
};
struct Result {
  std::uint64_t task, value;
};

struct Lane {  // written by the coordinator, read-only to its worker
  alignas(64) std::atomic<std::uint64_t> tail;
  std::atomic<std::uint32_t> bell;
  alignas(64) std::atomic<std::uint64_t> taken_back_from;
  alignas(64) std::atomic<std::uint32_t> stop;
  alignas(64) std::array<Descriptor, lane_slots> slots;
};

struct Page {  // written by the worker
  alignas(64) std::atomic<std::uint64_t> cursor;
  std::atomic<std::uint64_t> committed;
  std::atomic<std::uint32_t> asleep;
  alignas(64) std::array<std::byte, 2 * batch_bytes> outbox;
};

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(std::string("bare lanes: ") + what);
}

class Worker {
 public:
  Worker(Lane& lane, Page& page, int pipe) : lane_(lane), page_(page), pipe_(pipe) {}

  [[noreturn]] void run() {
    for (std::uint64_t head = 0;;) {
      const std::uint64_t tail = lane_.tail.load(std::memory_order_acquire);
      if (head == tail) {
        flush();
        sleep(head);
        continue;
      }
      for (; head < tail; ++head) answer(head);
    }
  }

 private:
  void answer(std::uint64_t head) {
    page_.cursor.store(head + 1, std::memory_order_seq_cst);
    if (lane_.taken_back_from.load(std::memory_order_seq_cst) <= head) return;
    const Descriptor& descriptor = lane_.slots[head % lane_slots];
    const Result result{descriptor.task, square(descriptor.item)};
    std::memcpy(page_.outbox.data() + used_, &result, sizeof result);
    used_ += sizeof result;
    page_.committed.store(head + 1, std::memory_order_release);
    if (used_ >= batch_bytes) flush();
  }
  void flush() {
    for (std::size_t sent = 0; sent < used_;) {
      const ssize_t n = ::write(pipe_, page_.outbox.data() + sent, used_ - sent);
      if (n <= 0) ::_exit(1);
      sent += static_cast<std::size_t>(n);
    }
    used_ = 0;
  }
  void sleep(std::uint64_t head) {
    const std::uint32_t heard = lane_.bell.load();
    page_.asleep.store(1);
    if (lane_.tail.load() == head) {
      if (lane_.stop.load() != 0) ::_exit(0);
      futex(lane_.bell, FUTEX_WAIT, heard);
    }
    page_.asleep.store(0);
  }

  Lane& lane_;
  Page& page_;
  int pipe_;
  std::size_t used_ = 0;
};

// What is kept of a task: its value, or an outcome that has room for what the attempt cost, in memory that is touched
// for the first time.
using Value = std::uint64_t;
struct Outcome {
  std::uint64_t value = 0, waited = 0, ran = 0, worker = 0;
};
static_assert(sizeof(Outcome) == 32);

void keep(Value& place, std::uint64_t value, std::size_t) { place = value; }
void keep(Outcome& place, std::uint64_t value, std::size_t worker) { place = {value, 1, 1, worker}; }
std::uint64_t value_of(Value kept) { return kept; }
std::uint64_t value_of(const Outcome& kept) { return kept.value; }

template <class Kept>
class Lanes {
 public:
  explicit Lanes(std::size_t tasks) : tasks_(tasks) {
    queue_ = ::memfd_create("bare-lanes", MFD_CLOEXEC);
    require(queue_ >= 0 && ::ftruncate(queue_, sizeof(Lane) * workers) == 0, "memfd_create");
    lanes_ = map<Lane>(MAP_SHARED | MAP_POPULATE, queue_);
    pages_ = map<Page>(MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1);
    for (std::size_t w = 0; w < workers; ++w) {
      lanes_[w].taken_back_from = ~std::uint64_t{0};
      start(w);
    }
    // After the forks: pages shared with children would be copied at the first store.
    results_.reserve(tasks);
    if constexpr (std::is_same_v<Kept, Outcome>)
      advise_huge();
    else
      results_.resize(tasks);
    buffer_.resize(256u << 10);
  }
  ~Lanes() {
    for (std::size_t w = 0; w < workers; ++w) {
      lanes_[w].stop = 1;
      ring(w);
      ::waitpid(pids_[w], nullptr, 0);
      ::close(polls_[w].fd);
    }
    ::munmap(lanes_, sizeof(Lane) * workers);
    ::munmap(pages_, sizeof(Page) * workers);
    ::close(queue_);
  }

  void run() {
    while (done_ < tasks_) {
      for (std::size_t w = 0; w < workers; ++w) fill(w);
      bool any = false;
      for (std::size_t w = 0; w < workers; ++w) any |= take(w);
      if (!any) ::poll(polls_.data(), workers, -1);
    }
  }
  std::vector<std::uint64_t> results() const {
    std::vector<std::uint64_t> values;
    for (const Kept& kept : results_) values.push_back(value_of(kept));
    return values;
  }

 private:
  void advise_huge() {
    constexpr std::uintptr_t page = 4096;
    const auto from = (reinterpret_cast<std::uintptr_t>(results_.data()) + page - 1) & ~(page - 1);
    const auto to = reinterpret_cast<std::uintptr_t>(results_.data() + tasks_) & ~(page - 1);
    if (from < to) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
  }
  template <class T>
  static T* map(int flags, int fd) {
    void* const place = ::mmap(nullptr, sizeof(T) * workers, PROT_READ | PROT_WRITE, flags, fd, 0);
    require(place != MAP_FAILED, "mmap");
    return static_cast<T*>(place);
  }

  void start(std::size_t w) {
    std::array<int, 2> ends{};
    require(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe2");
    ::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    pids_[w] = ::fork();
    require(pids_[w] >= 0, "fork");
    if (pids_[w] == 0) {
      ::mmap(lanes_, sizeof(Lane) * workers, PROT_READ, MAP_SHARED | MAP_FIXED, queue_, 0);
      Worker(lanes_[w], pages_[w], ends[1]).run();
    }
    ::close(ends[1]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    polls_[w] = {ends[0], POLLIN, 0};
  }

  void fill(std::size_t w) {
    Lane& lane = lanes_[w];
    const std::uint64_t room = lane_slots - (dealt_[w] - answered_[w]);
    if (next_ == tasks_ || room < lane_slots / 4) return;
    for (std::uint64_t i = std::min<std::uint64_t>(room, tasks_ - next_); i > 0; --i, ++next_, ++dealt_[w])
      lane.slots[dealt_[w] % lane_slots] = {next_, next_};
    lane.tail.store(dealt_[w], std::memory_order_seq_cst);
    if (pages_[w].asleep.load() != 0) ring(w);
  }
  void ring(std::size_t w) {
    lanes_[w].bell.fetch_add(1);
    futex(lanes_[w].bell, FUTEX_WAKE, 1);
  }
  bool take(std::size_t w) {
    const ssize_t n = ::read(polls_[w].fd, buffer_.data(), buffer_.size());
    if (n <= 0) return false;
    const std::size_t count = static_cast<std::size_t>(n) / sizeof(Result);
    require(count * sizeof(Result) == static_cast<std::size_t>(n), "a result was cut");
    const auto result_at = [this](std::size_t i) {
      Result result;
      std::memcpy(&result, buffer_.data() + i * sizeof result, sizeof result);
      return result;
    };
    // Outcomes are made where they are about to be written: made all at once, they would come from memory twice.
    const std::size_t known = static_cast<std::size_t>(result_at(count - 1).task) + 1;  // a worker's tasks ascend
    if (known > results_.size()) results_.resize(known);
    for (std::size_t i = 0; i < count; ++i) {
      const Result result = result_at(i);
      keep(results_[result.task], result.value, w);
    }
    answered_[w] += count;
    done_ += count;
    return true;
  }

  int queue_ = -1;
  Lane* lanes_ = nullptr;
  Page* pages_ = nullptr;
  std::array<pid_t, workers> pids_{};
  std::array<pollfd, workers> polls_{};
  std::array<std::uint64_t, workers> dealt_{}, answered_{};
  std::uint64_t next_ = 0, done_ = 0;
  std::size_t tasks_;
  std::vector<Kept> results_;
  std::vector<std::byte> buffer_;
};

template <class Kept>
Peer lanes_peer(std::string name, std::size_t tasks) {
  auto measure = [name, tasks] {
    Lanes<Kept> lanes(tasks);
    const double ns = ns_per_task(tasks, [&] { lanes.run(); });
    check_squares(name, lanes.results());
    return ns;
  };
  return one_figure(name, "ns a task", measure);
}

}  // namespace

std::vector<Peer> bare_lanes(const Setting& setting) {
  const std::size_t tasks = setting.count(2'000'000);
  return {lanes_peer<Value>("bare lanes, no library (the floor)", tasks),
          lanes_peer<Outcome>("bare lanes, outcomes of 32 bytes kept", tasks)};
}

}  // namespace bench
