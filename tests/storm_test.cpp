// Chaos on our own workers: killed at random, writing over all they can write. Bounded in count and time, seeded.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "storm_length.hpp"
#include "storm_seed.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

// The workers that live now, by slot: what the storm may hit, and nothing else.
class Targets {
 public:
  void follow(const Event& event) {
    if (event.kind == EventKind::worker_started) pids_[event.worker] = static_cast<pid_t>(event.process);
    if (event.kind == EventKind::worker_died || event.kind == EventKind::worker_left) pids_.erase(event.worker);
  }
  // A worker that has died but is not buried is a zombie of ours: its number is still its own.
  bool hit(std::mt19937& random) const {
    if (pids_.empty()) return false;
    auto victim = pids_.begin();
    std::advance(victim, static_cast<long>(random() % pids_.size()));
    return ::kill(victim->second, SIGKILL) == 0;
  }

 private:
  std::map<int, pid_t> pids_;
};

struct Storm {
  std::uint64_t tasks = 0, kills = 0, crashed = 0, lost = 0, wrong = 0;
};

// Kills come from the coordinator's own thread, between its steps: also while workers wait in a full pipe, claim,
// compose or sleep. `spin` makes tasks long enough to be hit in the middle.
Storm run_storm(unsigned seed, std::chrono::milliseconds length, unsigned retries, std::uint64_t spin) {
  Storm storm;
  std::mt19937 random(seed);
  Targets targets;
  const auto end = std::chrono::steady_clock::now() + length;
  auto next_kill = std::chrono::steady_clock::now();
  WorkOptions options{.num_workers = 3, .per_sync_timeout = 1ms};
  options.retry = {.max_retries = retries, .on = {Ending::crashed}};
  options.respawn.limit = 1000;
  options.on_event = [&](const Event& event) {
    targets.follow(event);
    if (event.kind == EventKind::attempt_lost) ++storm.lost;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_kill || now >= end) return;
    next_kill = now + std::chrono::microseconds(random() % 10'000);
    storm.kills += targets.hit(random);
  };
  auto numbers = std::views::iota(std::uint64_t{0}) |
                 std::views::take_while([&](std::uint64_t) { return std::chrono::steady_clock::now() < end; });
  const auto work = [spin](std::uint64_t n) {
    volatile std::uint64_t idle = 0;
    for (std::uint64_t i = 0; i < (n % 64 == 0 ? 64 * spin : spin); ++i) idle = idle + 1;
    return std::pair(n * n, std::string(n % 1000 == 0 ? 50'000 : n % 40, 'x'));
  };
  for (auto& [index, outcome] : process_stream(numbers, work, options)) {
    if (index != storm.tasks++) ++storm.wrong;
    if (outcome) {
      storm.wrong +=
          outcome->first != index * index || outcome->second.size() != (index % 1000 == 0 ? 50'000 : index % 40);
    } else {
      ++storm.crashed;
      storm.wrong += outcome.ending() != Ending::crashed || outcome.error().signal != SIGKILL;
    }
  }
  return storm;
}

void report(const char* name, const Storm& storm) {
  std::printf("%s: %llu tasks, %llu kills, %llu tasks crashed, %llu attempts lost\n", name,
              static_cast<unsigned long long>(storm.tasks), static_cast<unsigned long long>(storm.kills),
              static_cast<unsigned long long>(storm.crashed), static_cast<unsigned long long>(storm.lost));
}

}  // namespace

TEST_CASE("workers killed at random: one outcome a task, all values right", "[storm][long]") {
  const NothingLeftBehind check;
  const unsigned seed = chosen_seed();
  const std::uint64_t spin = GENERATE(std::uint64_t{0}, std::uint64_t{2'000});
  const auto length = storm_length(8s) / 4;
  const Storm charged = run_storm(seed, length, 0, spin);
  report("without retries", charged);
  CHECK(charged.wrong == 0);
  CHECK(charged.kills > 0);
  CHECK(charged.tasks > 0);
  CHECK(charged.crashed <= charged.kills);
  CHECK(charged.lost == 0);
  const Storm retried = run_storm(seed + 1, length, 1000, spin);
  report("with retries", retried);
  CHECK(retried.wrong == 0);
  CHECK(retried.crashed == 0);
  CHECK(retried.lost <= retried.kills);
}

TEST_CASE("a finished task is never run again, whenever its worker is killed", "[storm]") {
  const NothingLeftBehind check;
  std::mt19937 random(chosen_seed());
  char name[] = "/tmp/bulkhead-appended-XXXXXX";
  const int file = ::mkostemp(name, O_APPEND | O_CLOEXEC);
  REQUIRE(file >= 0);
  ::unlink(name);
  Targets targets;
  int done = 0, lost = 0;
  WorkOptions options{
      .num_workers = 2, .per_sync_timeout = 1ms, .retry = {.max_retries = 1000, .on = {Ending::crashed}}};
  options.respawn.limit = 1000;
  options.on_event = [&](const Event& event) {
    targets.follow(event);
    done += event.kind == EventKind::task_finished;
    lost += event.kind == EventKind::attempt_lost;
    if (random() % 40 == 0) targets.hit(random);
  };
  std::vector<int> numbers(3'000);
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto results = do_process_work(
      numbers,
      [file](int n) {
        const std::string line = std::to_string(n) + " " + std::to_string(this_task()->attempt) + "\n";
        return static_cast<int>(::write(file, line.data(), line.size()));
      },
      options);
  CHECK(done == 3'000);
  std::string text;
  char block[65536];
  ::lseek(file, 0, SEEK_SET);
  for (ssize_t n; (n = ::read(file, block, sizeof block)) > 0;) text.append(block, static_cast<std::size_t>(n));
  ::close(file);
  std::istringstream lines(text);
  std::set<std::pair<int, int>> seen;
  std::map<int, int> last_attempt;
  for (int n, attempt; lines >> n >> attempt;) {
    CHECK(seen.emplace(n, attempt).second);  // an attempt appends once
    last_attempt[n] = attempt;
  }
  for (int n = 0; n < 3'000; ++n) {
    REQUIRE(results[static_cast<std::size_t>(n)].has_value());
    REQUIRE(results[static_cast<std::size_t>(n)].stats().attempts == static_cast<unsigned>(last_attempt[n]));
  }
  std::printf("appended: %zu lines, %d attempts lost\n", seen.size(), lost);
}

namespace {

struct MappedRange {
  char* begin;
  char* end;
};

// Every shared mapping that this process may write.
std::vector<MappedRange> writable_shared_memory() {
  std::vector<MappedRange> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    char mode[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, mode) == 3 && mode[1] == 'w' && mode[3] == 's')
      found.push_back({reinterpret_cast<char*>(begin), reinterpret_cast<char*>(end)});
  }
  return found;
}

}  // namespace

TEST_CASE("a worker that writes over all shared memory it can write harms itself alone", "[storm][long]") {
  const NothingLeftBehind check;
  const int byte = GENERATE(0x00, 0xff, 0x5a);
  const bool dies = GENERATE(true, false);
  std::vector<int> numbers(400);
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto results =
      do_process_work(numbers,
                      [=](int n) {
                        if (n % 100 == 50) {
                          for (const auto& range : writable_shared_memory())
                            std::memset(range.begin, byte, static_cast<std::size_t>(range.end - range.begin));
                          if (dies) ::kill(::getpid(), SIGKILL);
                        }
                        return n;
                      },
                      {.num_workers = 2, .task_timeout = 20s, .kill_grace = 100ms});
  for (std::size_t i = 0; i < 400; ++i) {
    if (i % 100 == 50) {
      if (dies)
        CHECK(results[i].ending() == Ending::crashed);
      else
        CHECK((results[i].has_value() || results[i].ending() == Ending::protocol_error));
    } else {
      REQUIRE(results[i].has_value());
      REQUIRE(*results[i] == static_cast<int>(i));
    }
  }
}

TEST_CASE("a worker's shared memory is one page and its ring, and the queue is read-only", "[storm]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(std::vector<int>{0, 1},
                                       [](int n) {
                                         std::vector<std::string> lines;
                                         std::ifstream maps("/proc/self/maps");
                                         for (std::string line; std::getline(maps, line);)
                                           if (line.find("memfd:bulkhead") != std::string::npos) lines.push_back(line);
                                         if (n == 0) return lines;
                                         for (const std::string& line : lines) {
                                           if (line.find("bulkhead-queue") == std::string::npos) continue;
                                           unsigned long begin = 0;
                                           std::sscanf(line.c_str(), "%lx", &begin);
                                           std::signal(SIGSEGV, SIG_DFL);
                                           *reinterpret_cast<volatile char*>(begin) =
                                               1;  // refused: this is where the task ends
                                         }
                                         return lines;
                                       },
                                       {.num_workers = 1});
  int writable = 0, queues = 0;
  for (const std::string& line : results[0].value()) {
    if (line.find("bulkhead-queue") != std::string::npos) {
      ++queues;
      CHECK(line.find(" r--s ") != std::string::npos);
    } else {
      writable += line.find(" rw-s ") != std::string::npos;
    }
  }
  CHECK(queues == 1);  // from its lane to the arena's end
  CHECK(writable == 1);
  CHECK(results[1].ending() == Ending::crashed);
  CHECK(results[1].error().signal == SIGSEGV);
}

TEST_CASE("garbage in the result pipe costs the task that wrote it", "[storm]") {
  const NothingLeftBehind check;
  std::vector<int> numbers(300);
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto before = names_in("/proc/self/fd");
  const auto results =
      do_process_work(numbers,
                      [&](int n) {
                        if (n % 100 == 50)
                          for (const std::string& name : names_in("/proc/self/fd"))
                            if (!before.contains(name))
                              static_cast<void>(!::write(std::stoi(name), "garbage!garbage!garbage!", 24));
                        return n;
                      },
                      {.num_workers = 2, .task_timeout = 20s, .kill_grace = 100ms});
  for (std::size_t i = 0; i < 300; ++i) {
    if (i % 100 == 50)
      CHECK((results[i].has_value() || results[i].ending() == Ending::protocol_error));
    else
      REQUIRE(results[i].value() == static_cast<int>(i));
  }
}

TEST_CASE("workers end with a coordinator that is killed", "[storm]") {
  // The pipe's write end lives on in the coordinator and its workers: end of file means that all of them are gone.
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t coordinator = ::fork();
  if (coordinator == 0) {
    ::close(ends[0]);
    const auto results = do_process_work(std::vector<int>{0, 1, 2},
                                         [&](int n) {
                                           static_cast<void>(!::write(ends[1], "s", 1));
                                           for (;;) ::pause();
                                           return n;
                                         },
                                         {.num_workers = 3});
    ::_exit(static_cast<int>(results.size()));
  }
  ::close(ends[1]);
  char byte = 0;
  for (int i = 0; i < 3; ++i) REQUIRE(::read(ends[0], &byte, 1) == 1);
  ::kill(coordinator, SIGKILL);
  REQUIRE(::waitpid(coordinator, nullptr, 0) == coordinator);
  CHECK(::read(ends[0], &byte, 1) == 0);
  ::close(ends[0]);
}
