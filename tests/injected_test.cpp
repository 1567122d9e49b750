// Any one system call fails: the n-th one, for n = 1, 2, ... A clear error or right results, and never for ever.
#include <bulkhead/command.hpp>
#include <bulkhead/task_output.hpp>

#include "built_paths.hpp"
#include "catch.hpp"
#include "left_behind.hpp"
#include "output_text.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

struct Traced {
  CommandResult result;
  std::string words, calls;
  bool injected = false;
};

Traced trace(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "strace");
  TaskOutput output, error;
  Command command{.arguments = std::move(arguments), .timeout = 30s};
  command.output = &output;
  command.error = &error;
  Traced traced;
  traced.result = run_command(command);
  traced.calls = text_of(error, traced.result.error);
  traced.injected = traced.calls.find("(INJECTED)") != std::string::npos;
  traced.words = text_of(output, traced.result.output) +
                 traced.calls.substr(traced.calls.size() - std::min<std::size_t>(traced.calls.size(), 600));
  return traced;
}

struct Injection {
  const char* call;
  const char* error;
};

// How often the loader has made this call when main() begins: what fails there is no concern of ours.
int calls_before_main(const std::string& call) {
  const Traced traced = trace({"-qq", "-e", "trace=" + call, "-e", "signal=none", BULKHEAD_INJECTED, "nothing"});
  int calls = 0;
  for (std::size_t at = 0; (at = traced.calls.find(call + "(", at)) != std::string::npos; ++at) ++calls;
  return calls;
}

// The n-th call fails in every process: the host, its fork server, each of its workers.
[[maybe_unused]] int fail_one_by_one(const Injection& injection, const std::string& which) {
  const std::string calls = injection.call;
  const int first = calls_before_main(calls) + 1;
  int n = first;
  for (; n < first + 100; ++n) {
    const Traced traced = trace({"-f", "-qq", "-e", "trace=" + calls, "-e", "signal=none", "-e",
                                 "inject=" + calls + ":error=" + injection.error + ":when=" + std::to_string(n),
                                 BULKHEAD_INJECTED, which});
    CAPTURE(injection.call, n, traced.words);
    CHECK_FALSE(traced.result.timed_out);
    CHECK(traced.result.signal == 0);
    const int status = traced.result.exit_code.value_or(-1);
    CHECK((status == 0 || status == 3));
    if (!traced.injected) break;
  }
  return n - first;
}

}  // namespace

TEST_CASE("system calls fail one by one: a clear error or right results, in bounded time", "[injected][long]") {
#if defined(__SANITIZE_ADDRESS__)
  WARN("skipped: LeakSanitizer does not work under ptrace");
#else
  if (find_program("strace").empty()) {
    WARN("skipped: strace is not installed");
    return;
  }
  if (const Traced traced = trace({"-f", "-qq", "-e", "trace=none", "true"}); traced.result.exit_code != 0) {
    WARN("skipped: ptrace is not permitted: " << traced.words);
    return;
  }
  const NothingLeftBehind check;
  const std::string which = GENERATE(as<std::string>{}, "batch", "pool", "first worker directly");
  for (const Injection& injection :
       {Injection{"clone", "EAGAIN"}, Injection{"clone3", "EAGAIN"}, Injection{"memfd_create", "ENOMEM"},
        Injection{"ftruncate", "ENOMEM"}, Injection{"fallocate", "ENOMEM"}, Injection{"socketpair", "EMFILE"},
        Injection{"pipe2", "EMFILE"}, Injection{"epoll_create1", "EMFILE"}, Injection{"epoll_ctl", "ENOMEM"},
        Injection{"eventfd2", "EMFILE"}, Injection{"pidfd_open", "EMFILE"}, Injection{"mmap", "ENOMEM"}}) {
    const int failures = fail_one_by_one(injection, which);
    std::printf("%s: %s failed %d times\n", which.c_str(), injection.call, failures);
  }
#endif
}
