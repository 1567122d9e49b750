// What it costs to replace a worker that died, in hosts of different size: from a task's death to the next result.
// Beside it, what nobody can go below: fork, kill and wait in the same host. The large host is a process of its own.
#include "child.hpp"
#include "subject.hpp"

#include <bulkhead/process_pool.hpp>

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

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
  return 1e6 * bench::seconds([&] {
           auto dies = pool.submit(0), lives = pool.submit(1);
           if (dies.get() || !lives.get()) throw std::runtime_error("a wrong ending");
         });
}

double bare_us() {
  return 1e6 * bench::seconds([] {
           const pid_t child = ::fork();
           if (child == 0)
             for (;;) ::pause();
           ::kill(child, SIGKILL);
           ::waitpid(child, nullptr, 0);
         });
}

/// A host that touches its memory between the making of two pools. It measures on demand.
class LargeHost {
 public:
  enum Which : char { early, late, bare };

  explicit LargeHost(std::size_t bytes) {
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_.data()) != 0)
      throw std::runtime_error("socketpair failed");
    host_.start([&] { serve(bytes); });
    ::close(ends_[1]);
  }
  ~LargeHost() { ::close(ends_[0]); }
  LargeHost(const LargeHost&) = delete;
  LargeHost& operator=(const LargeHost&) = delete;

  double measure(Which which) {
    double us = 0;
    if (::write(ends_[0], &which, 1) != 1 || ::read(ends_[0], &us, sizeof us) != sizeof us)
      throw std::runtime_error("the large host has died");
    return us;
  }

 private:
  void serve(std::size_t bytes) {
    ::close(ends_[0]);
    const auto before = make_pool();
    const Ballast ballast(bytes);
    const auto after = make_pool();
    for (Which which{}; ::read(ends_[1], &which, 1) == 1;) {
      const double us = which == bare ? bare_us() : respawn_us(which == early ? *before : *after);
      if (::write(ends_[1], &us, sizeof us) < 0) break;
    }
  }

  std::array<int, 2> ends_{};
  bench::Children host_;
};

// At most 8 GiB, and no more than half of what there is.
std::size_t ballast_bytes(const bench::Setting& setting) {
  const auto memory = std::size_t(::sysconf(_SC_AVPHYS_PAGES)) * std::size_t(::sysconf(_SC_PAGESIZE));
  return std::min(setting.count(std::size_t{8} << 30), memory / 2);
}

bench::Subject respawn(const bench::Setting& setting) {
  const std::size_t bytes = ballast_bytes(setting);
  const auto large = std::make_shared<LargeHost>(bytes);  // forked before this process has a pool of its own
  const auto in_own = [pool = std::make_shared<std::unique_ptr<Pool>>()] {  // a pool is of the process that made it
    if (!*pool) *pool = make_pool();
    return respawn_us(**pool);
  };
  const auto in_large = [=](LargeHost::Which which) { return [=] { return large->measure(which); }; };
  const char* const empty = "pool, empty host";
  const char* const after = "pool, host touched its memory after it was made";
  const char* const before = "pool, host touched its memory before it was made";
  const char* const bare_large = "bare fork, kill, wait: host with that memory";
  using Compare = bench::Goal::Compare;
  using Bound = bench::Goal::Bound;
  return {
      "respawn",
      "a worker dies and is replaced; the large host has touched " + std::to_string(bytes >> 20) + " MiB",
      {bench::one_figure(empty, "us", in_own), bench::one_figure("bare fork, kill, wait: empty host", "us", bare_us),
       bench::one_figure(after, "us", in_large(LargeHost::early)),
       bench::one_figure(before, "us", in_large(LargeHost::late)),
       bench::one_figure(bare_large, "us", in_large(LargeHost::bare))},
      {{"pool, touched after / empty host", after, Compare::times, empty, Bound::at_most, 1.5},
       {"pool, touched before / bare fork there", before, Compare::times, bare_large, Bound::at_most, 1.1}}};
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, respawn); }
