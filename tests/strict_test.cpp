// Isolation::strict from outside: work goes on as ever, and what a worker may not do it cannot.
#include <bulkhead/channel.hpp>
#include <bulkhead/process_pool.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "os/sandbox.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

bool can_be_strict() {
  const auto support = os::probe_sandbox();
  for (const auto& part : support.lacking) WARN("lacking here: " << part);
  return support.sufficient();
}

const int coordinator_pid = static_cast<int>(::getpid());
int target_pid = 0;  // set before the fork: the coordinator, harmlessly
int a_word_of_the_coordinator = 1;

// Each returns the error that it met, or 0 where it was let through.
int attack(int kind) {
  iovec local{&a_word_of_the_coordinator, sizeof(int)}, remote = local;
  switch (kind) {
    case 0:
      return ::kill(target_pid, SIGURG) == 0 ? 0 : errno;
    case 1:
      return ::kill(-target_pid, SIGURG) == 0 ? 0 : errno;
    case 2:
      return ::kill(-1, 0) == 0 ? 0 : errno;
    case 3:
      return ::ptrace(PTRACE_SEIZE, target_pid, nullptr, nullptr) == 0 ? 0 : errno;
    case 4:
      return ::process_vm_writev(target_pid, &local, 1, &remote, 1, 0) >= 0 ? 0 : errno;
    case 5: {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(0);
      return child > 0 ? 0 : errno;
    }
    case 6:
      return ::open(("/proc/" + std::to_string(target_pid) + "/mem").c_str(), O_RDWR | O_CLOEXEC) >= 0 ? 0 : errno;
    default:
      return ::open("/tmp/bulkhead-strict-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 ? 0 : errno;
  }
}

}  // namespace

TEST_CASE("strict: endings are what they are without it", "[strict]") {
  if (!can_be_strict()) return;
  const NothingLeftBehind check;
  std::vector<int> items(60);
  std::iota(items.begin(), items.end(), 0);
  const auto results =
      do_process_work(items,
                      [](int n, std::stop_token stop) {
                        if (n == 10) crash_by(SIGSEGV);
                        if (n == 20) ::abort();
                        if (n == 30) ::_exit(3);
                        if (n == 40) throw std::runtime_error("forty");
                        if (n == 50) {
                          for (;;) ::pause();
                        }
                        std::thread([&] { n += stop.stop_requested() ? 1 : 0; }).join();
                        return n;
                      },
                      {.num_workers = 2, .task_timeout = 2s, .kill_grace = 50ms, .isolation = Isolation::strict});
  const std::map<int, Ending> special{{10, Ending::crashed},
                                      {20, Ending::crashed},
                                      {30, Ending::exited},
                                      {40, Ending::exception},
                                      {50, Ending::timed_out}};
  for (int n = 0; n < 60; ++n) {
    const auto& outcome = results[static_cast<std::size_t>(n)];
    const auto found = special.find(n);
    CHECK(outcome.ending() == (found == special.end() ? Ending::value : found->second));
  }
  CHECK(results[10].error().signal == SIGSEGV);
  CHECK(results[20].error().signal == SIGABRT);
}

TEST_CASE("strict: a worker cannot signal, trace or write its coordinator, nor start anything", "[strict]") {
  if (!can_be_strict()) return;
  const NothingLeftBehind check;
  target_pid = coordinator_pid;
  const int all = os::probe_sandbox().landlock_abi > 0 ? 8 : 6;
  std::vector<int> kinds(static_cast<std::size_t>(all));
  std::iota(kinds.begin(), kinds.end(), 0);
  for (const bool pooled : {false, true}) {
    const WorkOptions options{.num_workers = 2, .isolation = Isolation::strict};
    const auto results =
        pooled ? ProcessPool<int(int)>(attack, options).map(kinds) : do_process_work(kinds, attack, options);
    for (int kind = 0; kind < all; ++kind) {
      CAPTURE(kind, pooled);
      const int error = results[static_cast<std::size_t>(kind)].value();
      CHECK((error == EPERM || error == EACCES));
    }
  }
  CHECK(a_word_of_the_coordinator == 1);
}

TEST_CASE("strict: a worker cannot reach a sibling", "[strict]") {
  if (!can_be_strict()) return;
  const NothingLeftBehind check;
  SharedRegion region(2 * sizeof(std::atomic<int>));
  auto* const pids = new (region.bytes().data()) std::atomic<int>[2] {};
  const auto results = do_process_work(std::vector<int>{0, 1},
                                       [&](int n) {
                                         pids[n] = static_cast<int>(::getpid());
                                         while (pids[1 - n] == 0)
                                           std::this_thread::yield();  // both run: neither can be its own victim
                                         const int sibling = pids[1 - n];
                                         iovec part{&a_word_of_the_coordinator, sizeof(int)};
                                         return (::kill(sibling, SIGKILL) != 0) +
                                                (::ptrace(PTRACE_SEIZE, sibling, nullptr, nullptr) != 0) +
                                                (::process_vm_writev(sibling, &part, 1, &part, 1, 0) < 0);
                                       },
                                       {.num_workers = 2, .isolation = Isolation::strict});
  for (const auto& outcome : results) CHECK(outcome.value() == 3);
}

TEST_CASE("strict: files are written below the writable paths, and nowhere else", "[strict]") {
  if (!can_be_strict() || os::probe_sandbox().landlock_abi == 0) return;
  const NothingLeftBehind check;
  char folder[] = "/tmp/bulkhead-strict-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string inside = std::string(folder) + "/inside", outside = std::string(folder) + "-outside";
  const auto results = do_process_work(std::vector<std::string>{inside, outside, "/dev/null"},
                                       [](const std::string& path) {
                                         std::ofstream file(path);
                                         file << "text" << std::flush;
                                         return static_cast<bool>(file);
                                       },
                                       {.num_workers = 1, .isolation = Isolation::strict, .writable_paths = {folder}});
  CHECK(results[0].value());
  CHECK_FALSE(results[1].value());
  CHECK(results[2].value());
  std::remove(inside.c_str());
  ::rmdir(folder);
}

TEST_CASE("strict: what cannot be meant is refused at the door", "[strict]") {
  if (!can_be_strict()) return;
  const std::vector<int> one{1};
  const auto same = [](int n) { return n; };
  CHECK_THROWS_AS(do_process_work(one, same, {.isolation = Isolation::strict, .writable_paths = {"/no/such/place"}}),
                  std::invalid_argument);
  CHECK_THROWS_AS(do_process_work(one, same, {.writable_paths = {"/tmp"}}), std::invalid_argument);
}
