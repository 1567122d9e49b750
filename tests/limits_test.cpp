// Limits, each its own honest ending: memory, processor time, file size, open files; retries after running out.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "death_verdict.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "numbers.hpp"
#include "parallelism.hpp"
#include "respawn_policy.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

constexpr int task_count = 40;
constexpr int culprit_task = 13;

// Every task returns its number; the culprit does `what` first. All others must not notice.
template <class F>
Failure failure_of_culprit(F what, WorkOptions options) {
  const NothingLeftBehind check;
  options.num_workers = 2;
  const auto results = do_process_work(
      up_to(task_count),
      [&](int n) {
        if (n == culprit_task) what();
        return n;
      },
      options);
  for (int n = 0; n < task_count; ++n) {
    const auto& outcome = results[static_cast<std::size_t>(n)];
    if (n == culprit_task) continue;
    CHECK(outcome.value() == n);
    CHECK(outcome.stats().attempts == 1);
  }
  REQUIRE_FALSE(results[culprit_task].has_value());
  INFO(results[culprit_task].error().describe());
  return results[culprit_task].error();
}

bool can_be_limited() {
#if defined(__SANITIZE_ADDRESS__)
  WARN("skipped: AddressSanitizer does not survive limits on memory and descriptors");
  return false;
#else
  return true;
#endif
}

void fill_memory(std::size_t bytes) {
  std::vector<std::vector<char>> blocks;
  for (std::size_t used = 0; used < bytes; used += 1 << 20) blocks.emplace_back(1 << 20, 'x');
}

void burn_for_ever() {
  static volatile bool enough = false;
  while (!enough) {
  }
}

}  // namespace

TEST_CASE("memory: bad_alloc that leaves the function is out of memory, and says under which limit", "[limits]") {
  if (!can_be_limited()) return;
  const Failure failure = failure_of_culprit([] { fill_memory(512u << 20); }, {.memory_limit = 64u << 20});
  CHECK(failure.ending == Ending::out_of_memory);
  CHECK(failure.type == "std::bad_alloc");
  CHECK(failure.what.find("memory_limit is 67108864") != std::string::npos);
}

TEST_CASE("memory: a task that dies of a refused allocation is out of memory", "[limits]") {
  if (!can_be_limited()) return;
  const Failure failure = failure_of_culprit([]() noexcept { fill_memory(512u << 20); }, {.memory_limit = 64u << 20});
  CHECK(failure.ending == Ending::out_of_memory);
  CHECK(failure.signal == SIGABRT);
}

TEST_CASE("memory: what only looks like it is not called out of memory", "[limits]") {
  if (!can_be_limited()) return;
  SECTION("a refused allocation that the task got over, and a crash later on") {
    const Failure failure = failure_of_culprit(
        [] {
          constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS;
          if (::mmap(nullptr, 1u << 30, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) crash_by(SIGSEGV);
        },
        {.memory_limit = 64u << 20});
    CHECK(failure.ending == Ending::crashed);
  }
  SECTION("bad_alloc without a limit") {
    CHECK(failure_of_culprit([] { throw std::bad_alloc(); }, {}).ending == Ending::exception);
  }
  SECTION("a length that no memory could satisfy") {
    const Failure failure = failure_of_culprit(
        [] {
          volatile long length = -1;
          delete[] new int[static_cast<std::size_t>(length)];
        },
        {.memory_limit = 64u << 20});
    CHECK(failure.ending == Ending::exception);
  }
  SECTION("SIGKILL by somebody") {
    CHECK(failure_of_culprit([] { ::raise(SIGKILL); }, {.memory_limit = 64u << 20}).ending == Ending::crashed);
  }
}

TEST_CASE("memory: the limit is beyond what the worker inherits", "[limits]") {
  if (!can_be_limited()) return;
  const std::vector<char> inherited(200u << 20, 'x');
  const auto results = do_process_work(up_to(task_count),
                                       [&](int n) {
                                         fill_memory(32u << 20);
                                         return n + inherited[static_cast<std::size_t>(n)];
                                       },
                                       {.num_workers = 2, .memory_limit = 64u << 20});
  for (const auto& outcome : results) CHECK(outcome.has_value());
}

TEST_CASE("processor time: a task that computes too long is ended, one that sleeps is not", "[limits]") {
  const Failure failure = failure_of_culprit(burn_for_ever, {.kill_grace = 100ms, .cpu_time = 150ms});
  CHECK(failure.ending == Ending::limit_exceeded);
  CHECK(failure.what.find("cpu_time") != std::string::npos);
  const auto results = do_process_work(std::vector<int>{1},
                                       [](int n) {
                                         ::usleep(400'000);
                                         return n;
                                       },
                                       {.num_workers = 1, .cpu_time = 150ms});
  CHECK(results[0].has_value());
}

TEST_CASE("file size: the signal and the error both say so", "[limits]") {
  const auto write_much = [](bool deaf) {
    if (deaf) ::signal(SIGXFSZ, SIG_IGN);
    std::FILE* const file = std::tmpfile();
    const std::vector<char> block(1 << 16, 'x');
    for (int i = 0; i < 64; ++i)
      if (::write(::fileno(file), block.data(), block.size()) < 0)
        throw std::system_error(errno, std::generic_category(), "write");
  };
  const Failure by_signal = failure_of_culprit([&] { write_much(false); }, {.file_size = 1u << 20});
  CHECK(by_signal.ending == Ending::limit_exceeded);
  CHECK(by_signal.signal == SIGXFSZ);
  const Failure by_error = failure_of_culprit([&] { write_much(true); }, {.file_size = 1u << 20});
  CHECK(by_error.ending == Ending::limit_exceeded);
  CHECK(by_error.what.find("file_size is 1048576") != std::string::npos);
}

TEST_CASE("open files: the error says so", "[limits]") {
  if (!can_be_limited()) return;  // the sanitizer needs descriptors to unwind
  const Failure failure = failure_of_culprit(
      [] {
        for (;;)
          if (::open("/dev/null", O_RDONLY) < 0) throw std::system_error(errno, std::generic_category(), "open");
      },
      {.open_files = 64});
  CHECK(failure.ending == Ending::limit_exceeded);
  CHECK(failure.what.find("open_files is 64") != std::string::npos);
}

TEST_CASE("out of memory has a budget of its own, and fewer tasks run together meanwhile", "[limits]") {
  if (!can_be_limited()) return;
  const NothingLeftBehind check;
  int lost = 0, quarantined = 0;
  const auto results = do_process_work(up_to(task_count),
                                       [](int n) {
                                         if (n % 10 == 3) fill_memory(512u << 20);
                                         if (n % 10 == 5) crash_by(SIGSEGV);
                                         return n;
                                       },
                                       {.num_workers = 2,
                                        .memory_limit = 64u << 20,
                                        .retry = {.max_retries = 1, .max_oom_retries = 3},
                                        .on_event = [&](const Event& event) {
                                          lost += event.kind == EventKind::attempt_lost;
                                          quarantined += event.kind == EventKind::quarantined;
                                        }});
  for (int n = 0; n < task_count; ++n) {
    const auto& outcome = results[static_cast<std::size_t>(n)];
    const unsigned attempts = n % 10 == 3 ? 4 : n % 10 == 5 ? 2 : 1;
    CHECK(outcome.stats().attempts == attempts);
    CHECK(outcome.has_value() == (attempts == 1));
  }
  CHECK(lost == 4 * 3 + 4 * 1);
  CHECK(quarantined == 8);
}

TEST_CASE("a limit on file sizes that the program itself runs under is not in the way, or is named", "[limits]") {
  const NothingLeftBehind check;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 1u << 20;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &low) == 0);
  const auto results = do_process_work(up_to(task_count), [](int n) { return n; }, {.num_workers = 2});
  rlimit now{};
  ::getrlimit(RLIMIT_FSIZE, &now);
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK(now.rlim_cur == low.rlim_cur);
  for (const auto& outcome : results) CHECK(outcome.has_value());

  const pid_t host = ::fork();
  if (host == 0) {
    const rlimit hard{1u << 20, 1u << 20};
    ::setrlimit(RLIMIT_FSIZE, &hard);
    try {
      do_process_work(up_to(task_count), [](int n) { return n; }, {.num_workers = 2});
    } catch (const std::system_error& e) {
      ::_exit(std::string(e.what()).find("ulimit -f") != std::string::npos ? 0 : 1);
    }
    ::_exit(2);
  }
  int status = -1;
  ::waitpid(host, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("a death for want of memory is told by the kernel's count alone", "[limits]") {
  Death death{.signaled = true, .number = SIGKILL, .killed_for_memory = true};
  CHECK(judge_death(death).ending == Ending::out_of_memory);
  CHECK(judge_death(death).signal == SIGKILL);
  death.killed_for_memory = false;
  CHECK(judge_death(death).ending == Ending::crashed);
  death = {.signaled = true, .number = SIGSEGV, .killed_for_memory = true};
  CHECK(judge_death(death).ending == Ending::crashed);
}

TEST_CASE("a death behind memory that was refused is told as that, with the limit where there is one", "[limits]") {
  Death death{.number = 1, .allocation_refused = true};
  CHECK(judge_death(death).ending == Ending::out_of_memory);
  CHECK(judge_death(death).what.find("memory_limit") == std::string::npos);
  death.memory_limit = 1 << 20;
  CHECK(judge_death(death).what.find("memory_limit is 1048576") != std::string::npos);
}

TEST_CASE("parallelism is halved by each task out of memory, and comes back by successes", "[limits]") {
  Parallelism parallelism(8);
  CHECK(parallelism.allowed() == 8);
  parallelism.note_successes(1);
  CHECK_FALSE(parallelism.lowered());
  parallelism.note_out_of_memory();
  CHECK(parallelism.allowed() == 4);
  for (int i = 0; i < 4; ++i) parallelism.note_out_of_memory();
  CHECK(parallelism.allowed() == 1);
  parallelism.note_successes(1);
  CHECK(parallelism.allowed() == 2);
  for (int i = 0; i < 2 + 3; ++i) parallelism.note_successes(1);
  CHECK(parallelism.allowed() == 4);
  parallelism.note_successes(4 + 5 + 6 + 7);
  CHECK(parallelism.allowed() == 8);
  CHECK_FALSE(parallelism.lowered());
}

TEST_CASE("respawning stops after deaths in a row, but not for kills from outside", "[limits]") {
  RespawnBook book({.limit = 3, .period = 10s});
  for (int i = 0; i < 3; ++i) CHECK_FALSE(book.is_enough(IdleDeath::by_itself, 1s));
  book.note_progress();
  for (int i = 0; i < 3; ++i) CHECK_FALSE(book.is_enough(IdleDeath::by_itself, 2s));
  CHECK_FALSE(book.is_enough(IdleDeath::by_itself, 20s));  // the first ones are long ago
  for (int i = 0; i < 20; ++i) CHECK_FALSE(book.is_enough(IdleDeath::killed, 21s));
  CHECK_FALSE(book.is_enough(IdleDeath::by_itself, 21s));
  CHECK_FALSE(book.is_enough(IdleDeath::by_itself, 21s));
  CHECK(book.is_enough(IdleDeath::by_itself, 21s));
  book.note_progress();
  CHECK_FALSE(book.is_enough(IdleDeath::too_slow, 0s));
  CHECK(book.is_enough(IdleDeath::too_slow, 600s));
}
