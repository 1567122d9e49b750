// Nobody waits for what is there: results reach the caller, and tasks a worker, while others are at work.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "numbers.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

using namespace bulkhead;
using namespace std::chrono_literals;

TEST_CASE("a result that is finished reaches the caller while its worker is in the next task", "[promptness]") {
  const NothingLeftBehind check;
  // The second task ends only when the first one's result has arrived: were it held back, this would time out.
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  WorkOptions options{.num_workers = 1, .task_timeout = 20s, .kill_grace = 100ms};
  options.prefetch = 8;
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::task_finished && event.task == 0) static_cast<void>(!::write(gate[1], "g", 1));
  };
  const auto results = do_process_work(
      up_to(2),
      [&](int n) {
        char byte = 0;
        if (n == 1) static_cast<void>(!::read(gate[0], &byte, 1));
        return n;
      },
      options);
  CHECK(results[0].value() == 0);
  CHECK(results[1].value() == 1);
  ::close(gate[0]);
  ::close(gate[1]);
}

TEST_CASE("behind thousands of tiny tasks the results of long ones come while others still run", "[promptness]") {
  const NothingLeftBehind check;
  // Of tiny tasks a worker looks at the clock once in a thousand: no worker's long ones may wait for that.
  const int workers = GENERATE(1, 2);
  const int tiny = 20'000, longs = 100 * workers;
  auto* const begun = static_cast<std::atomic<int>*>(
      ::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(begun != MAP_FAILED);
  const auto work = [=](int n) {
    if (n < tiny) return 0;
    ++*begun;
    std::this_thread::sleep_for(15ms);
    return begun->load();
  };
  WorkOptions options{.num_workers = static_cast<std::size_t>(workers), .preserve_result_ordering = false};
  int most = 0;  // begun between a result and its arrival
  for (auto& [index, outcome] : process_stream(up_to(tiny + longs), work, options))
    if (index >= tiny) most = std::max(most, *begun - outcome.value());
  CAPTURE(workers);
  CHECK(*begun == longs);
  CHECK(most < longs / 2);
  ::munmap(begun, sizeof *begun);
}

TEST_CASE("no worker is idle while another holds tasks it has not started", "[promptness]") {
  const NothingLeftBehind check;
  // The first task ends only when all others have: they must not wait behind it in its worker's lane.
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  int others = 0;
  WorkOptions options{.num_workers = 2, .task_timeout = 30s, .kill_grace = 100ms};
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::task_finished && event.task != 0 && ++others == 199)
      static_cast<void>(!::write(gate[1], "g", 1));
  };
  options.prefetch = 50;
  const auto results = do_process_work(
      up_to(200),
      [&](int n) {
        char byte = 0;
        if (n == 0) static_cast<void>(!::read(gate[0], &byte, 1));
        return n;
      },
      options);
  CHECK(results.size() == 200);
  for (const auto& outcome : results) CHECK((outcome.has_value() && outcome.stats().attempts == 1));
  ::close(gate[0]);
  ::close(gate[1]);
}
