// Crashes that explain themselves: where, at which address, with which last words, after which tasks.
#include <bulkhead/process_pool.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

template <class F>
Failure failure_of(F func, WorkOptions options = {}) {
  const NothingLeftBehind check;
  options.num_workers = 1;
  const auto results = do_process_work(std::vector<int>{1}, std::move(func), options);
  REQUIRE_FALSE(results[0].has_value());
  return results[0].error();
}

bool has_own_crash_handler() {
  struct sigaction action {};
  ::sigaction(SIGSEGV, nullptr, &action);
  return action.sa_handler != SIG_DFL;  // a sanitizer's: ours leaves the signal to it
}

}  // namespace

TEST_CASE("a bad store tells the address that it could not reach", "[crash_report]") {
  if (has_own_crash_handler()) {
    WARN("skipped: another crash handler stands");
    return;
  }
  const Failure failure = failure_of([](int) { *reinterpret_cast<volatile int*>(0x1230) = 1; });
  CHECK(failure.ending == Ending::crashed);
  CHECK(failure.signal == SIGSEGV);
  CHECK(failure.fault_address == 0x1230);
  CHECK_FALSE(failure.backtrace.empty());
}

TEST_CASE("the handler can be turned off", "[crash_report]") {
  if (has_own_crash_handler()) {
    WARN("skipped: another crash handler stands");
    return;
  }
  const Failure failure = failure_of([](int) { *reinterpret_cast<volatile int*>(0x1230) = 1; }, {.crash_notes = false});
  CHECK(failure.signal == SIGSEGV);
  CHECK(failure.backtrace.empty());
  CHECK(failure.fault_address == 0);
}

TEST_CASE("signals of an instruction that is over end the worker all the same", "[crash_report]") {
  if (has_own_crash_handler()) {
    WARN("skipped: another crash handler stands");
    return;
  }
#if defined(__x86_64__)
  CHECK(failure_of([](int) { asm volatile("int3"); }).signal == SIGTRAP);
#endif
  CHECK(failure_of([](int) { ::raise(SIGTRAP); }).signal == SIGTRAP);
  CHECK(failure_of([](int) { ::raise(SIGSYS); }).signal == SIGSYS);
}

TEST_CASE("what a task has forked ends by the signal that it was ended by", "[crash_report]") {
  const NothingLeftBehind check;
  const auto ends_by = [](int signal) {
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit no_core{0, 0};
      ::setrlimit(RLIMIT_CORE, &no_core);
      if (signal == SIGABRT) std::abort();
      ::raise(signal);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
  };
  std::vector<int> signals{SIGABRT, SIGTRAP};
  if (!has_own_crash_handler()) signals.insert(signals.end(), {SIGBUS, SIGILL, SIGFPE});
  const auto results = do_process_work(signals, ends_by, {.num_workers = 1});
  for (std::size_t i = 0; i < signals.size(); ++i) CHECK(results[i].value() == signals[i]);
}

TEST_CASE("a crash says what the worker had done, and what it cost", "[crash_report]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(std::vector<int>{0, 1, 2, 3, 4},
                                       [](int n) {
                                         std::vector<char> used(32u << 20, 'x');
                                         if (n == 4) ::abort();
                                         return used[static_cast<std::size_t>(n)];
                                       },
                                       {.num_workers = 1});
  const Failure& failure = results[4].error();
  CHECK(failure.tasks_before == std::vector<std::uint64_t>{3, 2, 1, 0});
  CHECK(failure.max_rss >= 32u << 20);
  CHECK(results[4].stats().peak_rss >= 32u << 20);
  CHECK((failure.user_time + failure.system_time).count() > 0);
}

TEST_CASE("a failure carries the last words of its worker, and they are passed on", "[crash_report]") {
  std::FILE* const file = std::tmpfile();
  const int own = ::dup(STDERR_FILENO);
  ::dup2(::fileno(file), STDERR_FILENO);
  Failure failure;
  {
    const auto results = do_process_work(std::vector<int>{0, 1},
                                         [](int n) {
                                           std::fprintf(stderr, "task %d speaks\n", n);
                                           if (n == 1) {
                                             for (int i = 0; i < 1000; ++i) std::fprintf(stderr, "line %d\n", i);
                                             ::abort();
                                           }
                                           return n;
                                         },
                                         {.num_workers = 1, .stderr_tail = 20});
    failure = results[1].error();
  }
  ::dup2(own, STDERR_FILENO);
  ::close(own);
  CHECK(failure.stderr_tail == std::string("7\nline 998\nline 999\n"));
  std::rewind(file);
  std::string all(1 << 16, '\0');
  all.resize(std::fread(all.data(), 1, all.size(), file));
  std::fclose(file);
  CHECK(all.starts_with("task 0 speaks\ntask 1 speaks\nline 0\n"));
  CHECK(all.ends_with("line 999\n"));
}

TEST_CASE("last words that nobody takes delay no deadline", "[crash_report]") {
  const NothingLeftBehind check;
  int full[2];
  REQUIRE(::pipe(full) == 0);
  const int own = ::dup(STDERR_FILENO);
  ::dup2(full[1], STDERR_FILENO);
  const auto results =
      do_process_work(std::vector<int>{0, 1, 2},
                      [](int n) {
                        if (n == 1)
                          for (;;) std::fprintf(stderr, "a line that nobody reads\n");
                        return n;
                      },
                      {.num_workers = 2, .task_timeout = 300ms, .kill_grace = 50ms, .stderr_tail = 100});
  ::dup2(own, STDERR_FILENO);
  ::close(own);
  ::close(full[0]);
  ::close(full[1]);
  CHECK(results[0].value() == 0);
  CHECK(results[1].ending() == Ending::timed_out);
  CHECK(results[2].value() == 2);
}
