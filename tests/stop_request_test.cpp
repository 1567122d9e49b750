// A request to stop as a descriptor: who takes a StopRequest is told like who takes a std::stop_token, without a
// thread.
#include <bulkhead/command.hpp>
#include <bulkhead/coprocess.hpp>
#include <bulkhead/stop_request.hpp>
#include <bulkhead/task.hpp>
#include <bulkhead/threaded_worker.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

using Token = int(int, std::stop_token);
using Request = int(int, StopRequest);
struct MadeFromToken {
  MadeFromToken(std::stop_token) {}
};
const auto generic = [](auto item, auto stop) { return stop.stop_requested() ? 0 : item; };

template <class F>
constexpr bool needs_token = detail::TokenFunction<F, int>;
static_assert(needs_token<Token> && needs_token<std::function<Token>> && needs_token<decltype(generic)>);
static_assert(needs_token<int(int, MadeFromToken)> && needs_token<int(int, StopRequest&&)>);
static_assert(!needs_token<Request> && !needs_token<std::function<Request>> && !needs_token<int(int)>);
static_assert(detail::StoppableFunction<Request, int> && detail::StoppableFunction<std::function<Request>, int>);
static_assert(std::is_convertible_v<std::stop_token, StopRequest> && !std::is_convertible_v<int, StopRequest>);

int threads_here() {
  const std::filesystem::directory_iterator threads("/proc/self/task"), end;
  return static_cast<int>(std::distance(threads, end));
}

void say(const std::string& words) { emit_output(1, std::as_bytes(std::span(words))); }

// What a function says that is told to end by its time-out, and does.
template <class F>
std::vector<std::string> said_by(F func) {
  std::vector<std::string> said;
  WorkOptions options{.num_workers = 1, .task_timeout = 100ms, .kill_grace = 10s};
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::task_output)
      said.emplace_back(reinterpret_cast<const char*>(event.output.data()), event.output.size());
  };
  const auto results = do_process_work(std::vector{0}, func, options);
  CHECK(results.at(0));  // it came to its end within the grace
  CHECK(results.at(0).stats().ran >= 50ms);
  return said;
}

}  // namespace

TEST_CASE("a function with a StopRequest is told before it is killed", "[stop_request]") {
  const NothingLeftBehind check;
  const auto asks = [](int, const StopRequest& stop) {
    while (!stop.requested()) std::this_thread::yield();
    say("asked");
  };
  const auto waits = [](int, const StopRequest& stop) {
    pollfd one{.fd = stop.descriptor(), .events = POLLIN, .revents = 0};
    if (::poll(&one, 1, -1) == 1 && ::poll(&one, 1, 0) == 1 && stop.requested()) say("waited");
  };
  CHECK(said_by(asks) == std::vector<std::string>{"asked"});
  CHECK(said_by(waits) == std::vector<std::string>{"waited"});
}

TEST_CASE("a StopRequest takes no thread in a worker, a std::stop_token takes one", "[stop_request]") {
  const WorkOptions one{.num_workers = 1};
  const auto with = [&](auto func) { return do_process_work(std::vector{0}, func, one).at(0).value(); };
  CHECK(with([](int) { return threads_here(); }) == 1);
  CHECK(with([](int, const StopRequest& stop) { return stop.requested() ? 0 : threads_here(); }) == 1);
  CHECK(with([](int, const std::stop_token& stop) { return stop.stop_requested() ? 0 : threads_here(); }) == 2);
}

TEST_CASE("a program in a worker is ended by the worker's StopRequest", "[stop_request]") {
  const NothingLeftBehind check;
  const auto said = said_by([](int, const StopRequest& stop) {
    Command sleeps{.arguments = {"sleep", "60"}};
    const CommandResult result = run_command(sleeps, stop);
    say(result.cancelled ? "cancelled" : "not cancelled");
  });
  CHECK(said == std::vector<std::string>{"cancelled"});
}

TEST_CASE("in a worker's own workers a StopRequest means their SIGTERM, not the parent's", "[stop_request]") {
  const NothingLeftBehind check;
  const auto outer = [](int, const StopRequest& stop) {
    while (!stop.requested()) std::this_thread::yield();  // the parent's has come
    const auto inner = [stop](int, const StopRequest& own) {
      const bool told_before = stop.requested() || own.requested();
      ::kill(::getpid(), SIGTERM);
      const bool told = stop.requested() && own.requested();
      return !told_before && told && run_command({.arguments = {"sleep", "60"}}, stop).cancelled;
    };
    const auto results = do_process_work(std::vector{0}, inner, {.num_workers = 1});
    say(results.at(0) && results[0].value() ? "its own" : "not its own");
  };
  CHECK(said_by(outer) == std::vector<std::string>{"its own"});
}

TEST_CASE("a worker's std::stop_token ends a program, also once it has been told", "[stop_request]") {
  const NothingLeftBehind check;
  const auto said = said_by([](int, const std::stop_token& stop) {
    while (!stop.stop_requested()) std::this_thread::yield();
    say(run_command({.arguments = {"sleep", "60"}}, stop).cancelled ? "cancelled" : "not cancelled");
  });
  CHECK(said == std::vector<std::string>{"cancelled"});
}

TEST_CASE("a std::stop_token is told also where the task has closed SIGTERM's descriptor", "[stop_request]") {
  const NothingLeftBehind check;
  const auto said = said_by([](int, const std::stop_token& stop) {
    std::vector<int> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;  // the directory's own descriptor
      if (std::filesystem::read_symlink(entry, gone) == "anon_inode:[signalfd]")
        found.push_back(std::stoi(entry.path().filename()));
    }
    for (const int one : found) ::close(one);
    while (!stop.stop_requested()) std::this_thread::yield();
    say(std::to_string(found.size()));
  });
  CHECK(said == std::vector<std::string>{"1"});
}

TEST_CASE("a generic function's StopRequest holds a token", "[stop_request]") {
  const auto descriptor = [](auto item, const StopRequest& stop) { return item + stop.descriptor(); };
  const auto has_token = [](auto, const StopRequest& stop) { return stop.token().stop_possible(); };
  CHECK(do_process_work(std::vector{0}, descriptor, {.num_workers = 1}).at(0).value() == -1);
  CHECK(do_process_work(std::vector{0}, has_token, {.num_workers = 1}).at(0).value());
}

TEST_CASE("in threads a StopRequest is the run's token", "[stop_request]") {
  std::stop_source source;
  const auto results = do_threaded_work(std::vector{0, 1},
                                        [&](int n, const StopRequest& stop) {
                                          if (n == 1) source.request_stop();
                                          while (!stop.requested()) std::this_thread::yield();
                                          return stop.descriptor() == -1 && stop.token().stop_requested();
                                        },
                                        {.num_workers = 2, .stop = source.get_token()});
  REQUIRE(results.size() == 2);
  for (const auto& result : results) CHECK(result.value());
}

TEST_CASE("a ThreadedWorker's function may take a StopRequest", "[stop_request]") {
  WorkQueue<int> work;
  WorkQueue<Outcome<bool>> results;
  work.put(1);
  std::atomic<bool> began = false, told_before = true;
  ThreadedWorker<int, bool> worker(work, results, [&](int, const StopRequest& stop) {
    told_before = stop.requested();
    began = true;
    while (!stop.requested()) std::this_thread::yield();
    return true;
  });
  worker.start();
  while (!began) std::this_thread::yield();
  worker.stop();
  worker.join();
  CHECK_FALSE(told_before);
  CHECK(results.get(1s).value().value());
}

TEST_CASE("run_command() is stopped by a descriptor of the caller's", "[stop_request]") {
  const Command sleeps{.arguments = {"sleep", "60"}};
  const int wish = ::eventfd(1, EFD_CLOEXEC);
  REQUIRE(wish >= 0);
  CHECK(StopRequest(wish).requested());
  CHECK(run_command(sleeps, StopRequest(wish)).cancelled);
  std::uint64_t count = 0;
  CHECK(::read(wish, &count, sizeof count) == sizeof count);  // it was not read from
  CHECK_FALSE(run_command({.arguments = {"true"}}, StopRequest(wish)).cancelled);
  CHECK_FALSE(run_command({.arguments = {"true"}}, {}).cancelled);
  ::close(wish);
}

TEST_CASE("the end of a descriptor's other end is a request", "[stop_request]") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const StopRequest stop(ends[0]);
  CHECK_FALSE(stop.requested());
  ::close(ends[1]);
  CHECK(stop.requested());
  CHECK(run_command({.arguments = {"sleep", "60"}}, stop).cancelled);
  ::close(ends[0]);
}

TEST_CASE("a co-process is not waited for once a StopRequest has come", "[stop_request]") {
  const int wish = ::eventfd(0, EFD_CLOEXEC);
  REQUIRE(wish >= 0);
  Coprocess silent({.arguments = {"sh", "-c", "read line; echo \"$line\"; exec sleep 60"}});
  CHECK(silent.ask("first", StopRequest(wish)).ending == AnswerEnding::answered);
  const std::uint64_t one = 1;
  REQUIRE(::write(wish, &one, sizeof one) == sizeof one);
  CHECK(silent.ask("second", StopRequest(wish)).ending == AnswerEnding::cancelled);
  ::close(wish);
}

TEST_CASE("a StopRequest of nothing never comes", "[stop_request]") {
  CHECK_FALSE(StopRequest().requested());
  CHECK_FALSE(StopRequest(-1).requested());
  CHECK_FALSE(StopRequest(std::stop_token()).requested());
}
