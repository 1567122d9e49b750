// Deadlines hold, and hold for those whom they are meant for.
#include <bulkhead/process_pool.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "single_pass_range.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <ranges>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

TEST_CASE("a set-up that takes longer than a task may is no reason to end its worker", "[deadline]") {
  const NothingLeftBehind check;
  std::size_t started = 0;
  const auto results =
      do_process_work(std::vector<int>{1, 2, 3}, [](int n) { return n; },
                      {.num_workers = 1,
                       .task_timeout = 20ms,
                       .worker_init = [] { ::usleep(200'000); },
                       .on_event = [&](const Event& event) { started += event.kind == EventKind::worker_started; }});
  for (int n = 0; n < 3; ++n) CHECK(results[static_cast<std::size_t>(n)].value() == n + 1);
  CHECK(started == 1);
}

TEST_CASE("a task that floods its output is ended in time", "[deadline]") {
  const NothingLeftBehind check;
  std::size_t bytes = 0;
  const auto results = do_process_work(
      std::vector<int>{0, 1, 2, 3},
      [](int n) {
        const std::string block(4096, 'x');
        while (n == 1) emit_output(1, std::as_bytes(std::span(block)));
        return n;
      },
      {.num_workers = 2, .task_timeout = 200ms, .kill_grace = 50ms, .on_event = [&](const Event& event) {
         bytes += event.output.size();
       }});
  CHECK(results[1].ending() == Ending::timed_out);
  for (const std::size_t n : {0u, 2u, 3u}) CHECK(results[n].value() == static_cast<int>(n));
  CHECK(bytes > 0);
}

TEST_CASE("what waits behind a task that ran out of time is neither charged nor told to stop", "[deadline]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(std::vector<int>{0, 1, 2, 3, 4, 5},
                                       [](int n, std::stop_token stop) {
                                         std::mutex mutex;
                                         std::unique_lock lock(mutex);
                                         if (n == 0)
                                           std::condition_variable_any().wait(lock, stop, [] { return false; });
                                         return stop.stop_requested() ? -1 : n;
                                       },
                                       {.num_workers = 1, .task_timeout = 100ms, .kill_grace = 1s, .prefetch = 5});
  CHECK(results[0].value() == -1);  // it took the hint, and its value counts
  for (int n = 1; n < 6; ++n) {
    CHECK(results[static_cast<std::size_t>(n)].value() == n);
    CHECK(results[static_cast<std::size_t>(n)].stats().attempts == 1);
  }
}

TEST_CASE("an input that keeps us waiting does not keep the tasks before it", "[deadline]") {
  const NothingLeftBehind check;
  Gate first_done;
  bool was_done = false;
  Counter counter{.last = 3};
  auto slow = counter | std::views::transform([&](int n) {
                if (n == 1) was_done = first_done.opens_within(20s);
                return n;
              });
  const auto results = do_process_work(slow,
                                       [&](int n) {
                                         if (n == 0) first_done.open();
                                         return n;
                                       },
                                       {.num_workers = 2});
  CHECK(was_done);
  REQUIRE(results.size() == 3);
  for (int n = 0; n < 3; ++n) CHECK(results[static_cast<std::size_t>(n)].value() == n);
}
