// What a host may be like: streams closed, signals ignored or blocked, threads, limits. As if none of it.
#include "hosts.hpp"

#include <bulkhead/task.hpp>

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

void ignore(int signal) { std::signal(signal, SIG_IGN); }

void block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

// The folder is gone, and so is its name: nothing can be made in it.
void stand_nowhere() {
  char folder[] = "/tmp/bulkhead-gone-XXXXXX";
  if (::mkdtemp(folder) == nullptr || ::chdir(folder) != 0 || ::rmdir(folder) != 0) ::_exit(9);
}

struct State {
  const char* name;
  void (*enter)();
};

const std::array states{
    State{"SIGCHLD ignored", [] { ignore(SIGCHLD); }},
    State{"SIGPIPE ignored", [] { ignore(SIGPIPE); }},
    State{"every signal ignored that may be",
          [] {
            for (int signal = 1; signal < NSIG; ++signal) ignore(signal);
          }},
    State{"all signals blocked", block_all_signals},
    State{"umask 777", [] { ::umask(0777); }},
    State{"no environment", [] { ::clearenv(); }},
    State{"a current folder that was deleted", stand_nowhere},
    State{"no core, no locked memory, few pending signals",
          [] {
            const rlimit none{0, 0};
            for (const auto which : {RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE})
              ::setrlimit(which, &none);
          }},
};

}  // namespace

TEST_CASE("a host in an odd state: as if none of it", "[outside][long]") {
  for (const State& state : states) {
    DYNAMIC_SECTION(state.name) {
      const NothingLeftBehind check;
      Host host([&](const Complaints& complaints) {
        state.enter();
        expect_as_if_nothing_was(complaints);
      });
      check_no_complaints(host);
    }
  }
}

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

// In the host, whenever something has just been opened, and in every task: none of ours took a free number.
template <class Way>
void expect_streams_stay_closed(const Complaints& complaints, int closed) {
  const auto stay_closed = [closed] {
    std::printf("nobody will read this\n");
    std::fprintf(stderr, "nor this\n");
    bool all = true;
    for (int fd = 0; fd < 3; ++fd) all &= (closed >> fd & 1) == 0 || !is_open(fd);
    return all;
  };
  WorkOptions options;
  options.on_event = [&](const Event& event) {
    complaints.expect(stay_closed(), std::string(Way::name) + ", at " + std::string(to_string(event.kind)));
  };
  expect_as_if_nothing_was<Way>(complaints, stay_closed, options);
}

}  // namespace

TEST_CASE("standard streams closed at the start stay closed, and nothing is printed into what is ours",
          "[outside][long]") {
  const NothingLeftBehind check;
  const int closed = GENERATE(range(0, 8));
  CAPTURE(closed);
  Host host([closed](const Complaints& complaints) {
    const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; ++fd) ::dup2(nowhere, fd);
    ::close(nowhere);
    for (int fd = 0; fd < 3; ++fd)
      if ((closed >> fd & 1) != 0) ::close(fd);
    expect_streams_stay_closed<AsBatch>(complaints, closed);
    expect_streams_stay_closed<AsPool>(complaints, closed);
  });
  check_no_complaints(host);
}

TEST_CASE("a host with another thread that reaps every child it finds", "[outside]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    std::atomic<bool> done = false;
    std::thread reaper([&] {
      while (!done) {
        ::waitpid(-1, nullptr, WNOHANG | __WALL);
        std::this_thread::yield();
      }
    });
    expect_as_if_nothing_was(complaints);
    done = true;
    reaper.join();
  });
  check_no_complaints(host);
}

namespace {

// What threads of a host do all day: allocate, wait for each other's locks, throw.
void be_busy(const std::atomic<bool>& done, std::mutex& shared, unsigned seed) {
  std::vector<std::string> kept;
  for (unsigned turn = seed; !done; ++turn) {
    try {
      const std::lock_guard lock(shared);
      kept.emplace_back(turn % 5000, 'x');
      if (kept.size() > 20) kept.clear();
      if (turn % 3 == 0) throw std::runtime_error(std::string(turn % 100, 'e'));
    } catch (const std::runtime_error&) {
      std::this_thread::yield();
    }
  }
}

// Nobody reads: who writes is blocked with the stream's lock in its hands.
void hold_stdout() {
  for (;;) std::fputs("a line that goes nowhere, and blocks whoever wrote it when the pipe is full\n", stdout);
}

bool is_blocked_in_a_full_pipe(long thread, int pipe) {
  pollfd writable{pipe, POLLOUT, 0};
  return ::poll(&writable, 1, 0) == 0 && is_asleep(thread);
}

// Under a sanitizer, where each thread, fork and exception costs several times as much, 200 took 22 s by themselves.
#if defined(__SANITIZE_ADDRESS__)
constexpr unsigned many_threads = 50;
#else
constexpr unsigned many_threads = 200;
#endif

void work_beside_threads(const Complaints& complaints) {
  int ends[2];
  if (!complaints.expect(::pipe(ends) == 0 && ::dup2(ends[1], 1) == 1, "no pipe")) return;
  std::atomic<long> holder = 0;
  std::thread([&] {
    holder = ::syscall(SYS_gettid);
    hold_stdout();
  }).detach();
  while (holder == 0 || !is_blocked_in_a_full_pipe(holder, 1)) std::this_thread::yield();
  std::atomic<bool> done = false;
  std::array<std::mutex, 8> locks;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < many_threads; ++i)
    threads.emplace_back([&, i] { be_busy(done, locks[i % locks.size()], i); });

  std::atomic<int> servers = 0;
  WorkOptions options{.num_workers = 2, .retry = {.max_retries = 50}};
  options.respawn.limit = 1000;
  options.on_event = [&](const Event& event) {  // a child of ours that was not reaped yet
    if (event.kind == EventKind::fork_server_started && ++servers <= 10 && event.process > 1)
      ::kill(static_cast<pid_t>(event.process), SIGKILL);
  };
  ProcessPool<int(int)> pool([](int n) { return n % 10 == 3 && this_task()->attempt == 1 ? ::raise(SIGSEGV) : n; },
                             options);
  for (const auto& outcome : pool.map(up_to(100))) complaints.expect(outcome.has_value(), "no value beside threads");
  complaints.expect(servers > 10, "its fork server was not replaced");
  done = true;
  for (auto& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("a host with many threads that allocate, lock and throw, one of which is stuck in stdout", "[outside]") {
  const NothingLeftBehind check;
  Host host(work_beside_threads);
  check_no_complaints(host);
}

namespace {

// The flags of every mapping whose name has `part` in it.
std::vector<std::string> flags_of_mappings(const std::string& part) {
  std::vector<std::string> flags;
  std::ifstream maps("/proc/self/smaps");
  bool in_it = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ') && line.find(':') > line.find(' '))
      in_it = line.find(part) != std::string::npos;
    if (in_it && line.starts_with("VmFlags:")) flags.push_back(line);
  }
  return flags;
}

std::vector<std::string> dumped_mappings(std::size_t& found) {
  std::vector<std::string> dumped;
  for (const std::string& flags : flags_of_mappings("memfd:bulkhead")) {
    ++found;
    if (flags.find(" dd") == std::string::npos) dumped.push_back(flags);
  }
  return dumped;
}

}  // namespace

TEST_CASE("neither host nor worker has the queue in its core", "[outside]") {
  const NothingLeftBehind check;
  std::size_t found = 0;
  std::vector<std::string> dumped;
  WorkOptions options{.num_workers = 2};
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::worker_started) dumped = dumped_mappings(found);
  };
  const auto results = do_process_work(
      up_to(4),
      [](int) {
        std::size_t mapped = 0;
        const auto list = dumped_mappings(mapped);
        return std::pair(mapped, list);
      },
      options);
  CHECK(found >= 2);  // the queue, and a worker's results
  CHECK(dumped.empty());
  for (const auto& outcome : results) {
    CHECK(outcome.value().first >= 2);
    CHECK(outcome.value().second.empty());
  }
}

namespace {

int oom_score_adjustment(const std::string& process = "self") {
  int value = -10'000;
  std::ifstream("/proc/" + process + "/oom_score_adj") >> value;
  return value;
}

}  // namespace

TEST_CASE("workers, not the coordinator, are the choice of the kernel that is out of memory", "[outside]") {
  const NothingLeftBehind check;
  const int ours = oom_score_adjustment();
  REQUIRE(ours > -10'000);
  const auto results = do_process_work(up_to(4), [](int) { return oom_score_adjustment(); }, {.num_workers = 2});
  for (const auto& outcome : results) CHECK((outcome.value() > ours || ours == 1000));
}

TEST_CASE("nor is who forks the workers, but for the moment of a fork", "[outside]") {
  const NothingLeftBehind check;
  const int ours = oom_score_adjustment();
  const auto forker_is_as_we_are = [ours](int) {
    const std::string forker = std::to_string(::getppid());
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (oom_score_adjustment(forker) != ours && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    return oom_score_adjustment(forker) == ours;
  };
  for (const auto& outcome : do_process_work(up_to(4), forker_is_as_we_are, {.num_workers = 2})) CHECK(outcome.value());
}
