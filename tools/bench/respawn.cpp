// What it costs to replace a worker that died, in hosts of different size: from a task's death to the next result.
// Usage: respawn [GIB_TOUCHED [ROUNDS]], default 8 GiB and 15 rounds. Beside it, what nobody can go below: fork, kill
// and wait in the same host.
#include "table.hpp"

#include <bulkhead/process_pool.hpp>

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace {

using Clock = std::chrono::steady_clock;
using Pool = bulkhead::ProcessPool<int(int)>;

// Memory that the host has written to, page by page.
class Ballast {
 public:
  explicit Ballast(std::size_t bytes) : bytes_(bytes) {
    memory_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory_ == MAP_FAILED) throw std::runtime_error("mmap of the ballast");
    ::madvise(memory_, bytes, MADV_NOHUGEPAGE);  // page tables are what a fork copies
    for (std::size_t at = 0; at < bytes; at += 4096) static_cast<char*>(memory_)[at] = 1;
  }
  ~Ballast() { ::munmap(memory_, bytes_); }
  Ballast(const Ballast&) = delete;
  Ballast& operator=(const Ballast&) = delete;

 private:
  std::size_t bytes_;
  void* memory_ = nullptr;
};

std::unique_ptr<Pool> make_pool() {
  auto pool = std::make_unique<Pool>(
      [](int n) {
        if (n == 0) ::raise(SIGKILL);
        return n;
      },
      bulkhead::WorkOptions{.num_workers = 1});
  if (!pool->submit(1).get()) throw std::runtime_error("the pool does not work");
  return pool;
}

double respawn_us(Pool& pool) {
  const auto before = Clock::now();
  auto dies = pool.submit(0), lives = pool.submit(1);
  if (dies.get() || !lives.get()) throw std::runtime_error("a wrong ending");
  return std::chrono::duration<double, std::micro>(Clock::now() - before).count();
}

double bare_us() {
  const auto before = Clock::now();
  const pid_t child = ::fork();
  if (child == 0)
    for (;;) ::pause();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return std::chrono::duration<double, std::micro>(Clock::now() - before).count();
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t gib = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 8;
  const std::size_t rounds = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 15;
  std::vector<bench::Row> rows{{"pool, empty host", {}},
                               {"bare fork, kill, wait: empty host", {}},
                               {"pool, host touched memory after it was made", {}},
                               {"pool, host touched memory before it was made", {}},
                               {"bare fork, kill, wait: that host", {}}};
  const auto early = make_pool();
  for (std::size_t i = 0; i < rounds; ++i) {
    rows[0].samples.push_back(respawn_us(*early));
    rows[1].samples.push_back(bare_us());
  }
  const Ballast ballast(gib << 30);
  const auto late = make_pool();
  for (std::size_t i = 0; i < rounds; ++i) {
    rows[2].samples.push_back(respawn_us(*early));
    rows[3].samples.push_back(respawn_us(*late));
    rows[4].samples.push_back(bare_us());
  }
  std::printf("a worker dies and is replaced, %zu GiB touched\n", gib);
  bench::print_table(stdout, rows, "us");
  const auto median = [&](std::size_t row) { return bench::summarize(rows[row]).median; };
  std::printf("touched after: %.2f x of the empty host; touched before: %.2f x of a bare fork there\n",
              median(2) / median(0), median(3) / median(4));
}
