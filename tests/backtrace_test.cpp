// A crash says where it happened, and the handler that notes it changes nothing else about it.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

using namespace bulkhead;

#if !defined(__SANITIZE_ADDRESS__)  // a sanitizer's handlers come first, and tell their own story

namespace {

[[gnu::noinline]] int follow(volatile int* pointer) { return *pointer + 1; }

[[gnu::noinline]] int fall_through_the_stack(int n) {
  volatile char room[4096];
  room[0] = static_cast<char>(n);
  return n < 0 ? 0 : fall_through_the_stack(n + 1) + room[0];
}

[[gnu::noinline]] void give_up() { std::abort(); }

bool names(const std::vector<std::string>& frames, const std::string& function) {
  for (const std::string& frame : frames)
    if (frame.find(function + "+0x") != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("a crash names the functions it went through", "[backtrace]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(std::vector<int>{0, 1, 2, 3}, [](int n) {
    static volatile std::uintptr_t nowhere = 16;
    if (n == 0) return follow(reinterpret_cast<volatile int*>(nowhere));
    if (n == 1) return fall_through_the_stack(0);
    if (n == 2) give_up();
    return n;
  });
  CHECK(results[0].error().signal == SIGSEGV);
  CHECK(results[0].error().backtrace.front().find("follow+0x") != std::string::npos);
  CHECK(results[0].error().describe().find("crashed by SIGSEGV at ") == 0);
  CHECK(results[1].error().signal == SIGSEGV);
  CHECK(names(results[1].error().backtrace, "fall_through_the_stack"));
  CHECK(results[2].error().signal == SIGABRT);
  CHECK(names(results[2].error().backtrace, "give_up"));
  CHECK(*results[3] == 3);
}

TEST_CASE("a signal handler of the task's own is not replaced", "[backtrace]") {
  const NothingLeftBehind check;
  std::signal(SIGFPE, [](int) { std::_Exit(3); });
  const auto results = do_process_work(std::vector<int>{0}, [](int n) {
    std::raise(SIGFPE);
    return n;
  });
  std::signal(SIGFPE, SIG_DFL);
  CHECK(results[0].ending() == Ending::exited);
  CHECK(results[0].error().exit_code == 3);
}

TEST_CASE("a signal from outside leaves no backtrace", "[backtrace]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(std::vector<int>{0}, [](int n) {
    std::raise(SIGKILL);
    return n;
  });
  CHECK(results[0].error().signal == SIGKILL);
  CHECK(results[0].error().backtrace.empty());
}

#endif
