// Somebody outside who kills descendants of the host at random: workers, the fork server, what they started.
#include "hosts.hpp"
#include "parent_of.hpp"
#include "storm_length.hpp"
#include "storm_seed.hpp"

#include <bulkhead/task.hpp>

#include <sys/prctl.h>

#include <atomic>
#include <fstream>
#include <random>
#include <thread>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

// By the chain of its parents, as it is now.
bool descends_from(long pid, long host) {
  constexpr int deepest = 20;
  for (int depth = 0; depth < deepest && pid > 1; ++depth) {
    pid = parent_of(pid);
    if (pid == host) return true;
  }
  return false;
}

void append_descendants(long pid, std::vector<long>& all) {
  const std::string threads = "/proc/" + std::to_string(pid) + "/task";
  for (const std::string& thread : names_in(threads.c_str())) {
    if (thread[0] == '.') continue;
    std::ifstream children(threads + "/" + thread + "/children");
    for (long child = 0; children >> child;) {
      all.push_back(child);
      append_descendants(child, all);
    }
  }
}

// Numbers are used again soon where there are few. The descriptor holds on to one process; that the number belongs to a
// descendant of the host is asked after that. Were it another one's by now, the descriptor's would be dead.
bool kill_descendant(long pid, long host) {
  if (pid <= 1 || host <= 1 || pid == ::getpid() || pid == ::getppid() || pid == host) return false;
  const int held = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (held < 0) return false;
  const bool ours = parent_of(host) == ::getppid() && descends_from(pid, host);
  const bool sent = ours && ::syscall(SYS_pidfd_send_signal, held, SIGKILL, nullptr, 0) == 0;
  ::close(held);
  return sent;
}

// A child of the test beside the host, which lives as long as the test wants it to.
class Killer {
 public:
  Killer(long host, unsigned seed) {
    std::fflush(stdout);
    std::cout.flush();
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    stop_.close_writing();
    kill_at_random(host, seed);
  }
  Killer(const Killer&) = delete;
  Killer& operator=(const Killer&) = delete;
  ~Killer() {
    if (pid_ > 1) static_cast<void>(stop());
  }
  /// No signal is sent after this. How many were.
  std::uint64_t stop() {
    stop_.close_writing();
    std::uint64_t kills = 0;
    static_cast<void>(!::read(told_[0], &kills, sizeof kills));
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
    return kills;
  }

 private:
  struct Pipe {
    Pipe() { REQUIRE(::pipe2(ends, O_CLOEXEC) == 0); }
    ~Pipe() { ::close(ends[0]), ::close(ends[1]); }
    int operator[](std::size_t end) const { return ends[end]; }
    int ends[2];
  };

  // In quick succession, so that the next hits what the last one has started; and now and then after long enough that
  // even a busy machine has got something done.
  [[noreturn]] void kill_at_random(long host, unsigned seed) noexcept {
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> power(0, 6);
    std::uint64_t kills = 0;
    while (!stop_.opens_within(1ms * (1 << power(random)))) {
      std::vector<long> all;
      append_descendants(host, all);
      if (!all.empty()) kills += kill_descendant(all[random() % all.size()], host);
    }
    static_cast<void>(!::write(told_[1], &kills, sizeof kills));
    ::_exit(0);
  }

  Gate stop_;  // its end of file
  Pipe told_;
  pid_t pid_ = -1;
};

struct HuntTally {
  std::uint64_t tasks = 0, crashed = 0, wrong = 0, lost = 0, servers = 0;
};

std::pair<std::uint64_t, std::string> square(std::uint64_t n) {
  volatile unsigned idle = 0;
  for (unsigned i = 0; i < (n % 50 == 0 ? 2'000'000u : 2'000u); ++i) idle = idle + 1;
  return {n * n, std::string(n % 100 == 0 ? 50'000 : n % 40, 'x')};
}

void count_outcome(HuntTally& tally, std::uint64_t n, const Outcome<std::pair<std::uint64_t, std::string>>& outcome) {
  ++tally.tasks;
  if (outcome) {
    tally.wrong += outcome->first != n * n || outcome->second.size() != (n % 100 == 0 ? 50'000 : n % 40);
  } else {
    ++tally.crashed;
    tally.wrong +=
        outcome.ending() != Ending::crashed || (outcome.error().signal != SIGKILL && outcome.error().what.empty());
    if (tally.wrong != 0)
      std::fprintf(stderr, "task %lu: %s\n", static_cast<unsigned long>(n), outcome.error().describe().c_str());
  }
}

WorkOptions options_for(unsigned retries, HuntTally& tally) {
  WorkOptions options{.num_workers = 3, .retry = {.max_retries = retries, .on = {Ending::crashed}}};
  options.respawn.limit = 100'000;
  options.on_event = [&tally](const Event& event) {
    tally.lost += event.kind == EventKind::attempt_lost;
    tally.servers += event.kind == EventKind::fork_server_lost;
  };
  return options;
}

void run_batches(HuntTally& tally, unsigned retries, std::chrono::steady_clock::time_point end) {
  constexpr std::uint64_t in_batch = 2000;
  do {
    const auto numbers = std::views::iota(std::uint64_t{0}, in_batch);
    const auto outcomes = do_process_work(numbers, square, options_for(retries, tally));
    tally.wrong += outcomes.size() != in_batch;
    for (std::uint64_t n = 0; n < outcomes.size(); ++n) count_outcome(tally, n, outcomes[n]);
  } while (std::chrono::steady_clock::now() < end);
}

void run_pool(HuntTally& tally, unsigned retries, std::chrono::steady_clock::time_point end) {
  ProcessPool<std::pair<std::uint64_t, std::string>(std::uint64_t)> pool(square, options_for(retries, tally));
  do {
    const auto outcomes = pool.map(std::views::iota(std::uint64_t{0}, std::uint64_t{2000}));
    tally.wrong += outcomes.size() != 2000;
    for (std::uint64_t n = 0; n < outcomes.size(); ++n) count_outcome(tally, n, outcomes[n]);
  } while (std::chrono::steady_clock::now() < end);
}

using HuntedRun = void (*)(HuntTally&, unsigned, std::chrono::steady_clock::time_point);

// The host tells its tally when it has come to its end; the killer goes on until then, through the run's own end.
HuntTally run_hunted(HuntedRun run, unsigned seed, unsigned retries, std::uint64_t& kills) {
  const NothingLeftBehind check;
  int told[2];
  REQUIRE(::pipe2(told, O_CLOEXEC) == 0);
  Host host([&](const Complaints&) {
    HuntTally tally;
    run(tally, retries, std::chrono::steady_clock::now() + storm_length(5s) / 4);
    static_cast<void>(!::write(told[1], &tally, sizeof tally));
  });
  Killer killer(host.pid(), seed);
  ::close(told[1]);
  HuntTally tally;
  const bool whole = readable_within(told[0], 60s + 2 * storm_length(5s)) &&
                     ::read(told[0], &tally, sizeof tally) == static_cast<ssize_t>(sizeof tally);
  kills = killer.stop();
  ::close(told[0]);
  check_no_complaints(host, 10s);
  CHECK(whole);
  return tally;
}

}  // namespace

TEST_CASE("somebody kills any descendant at random: one outcome a task, all values right",
          "[storm][descendants][long]") {
  const unsigned seed = chosen_seed();
  for (const auto& [name, run] :
       {std::pair<const char*, HuntedRun>{"do_process_work", run_batches}, {"ProcessPool", run_pool}}) {
    for (const unsigned retries : {0u, 60'000u}) {
      std::uint64_t kills = 0;
      const HuntTally tally = run_hunted(run, seed, retries, kills);
      std::printf(
          "%s, %u retries, seed %u: %llu tasks, %llu kills, %llu crashed, %llu attempts lost, %llu fork servers\n",
          name, retries, seed, static_cast<unsigned long long>(tally.tasks), static_cast<unsigned long long>(kills),
          static_cast<unsigned long long>(tally.crashed), static_cast<unsigned long long>(tally.lost),
          static_cast<unsigned long long>(tally.servers));
      CAPTURE(name, retries, seed);
      CHECK(tally.tasks > 0);
      CHECK(kills > 0);
      CHECK(tally.wrong == 0);
      CHECK(tally.crashed + tally.lost <= kills);
      CHECK((retries != 0 ? tally.crashed : tally.lost) == 0);
    }
  }
}
