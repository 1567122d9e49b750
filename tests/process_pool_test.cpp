// ProcessPool: futures that always become ready, whatever happens to workers, fork server, host threads or the pool.
#include <bulkhead/process_pool.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "numbers.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

int square_or_die(int n) {
  if (n % 10 == 3) crash_by(SIGSEGV);
  if (n % 10 == 7) ::_exit(7);
  return n * n;
}

struct MoveOnly {
  MoveOnly() = default;
  explicit MoveOnly(int number) : n(number) {}
  MoveOnly(MoveOnly&&) = default;
  MoveOnly& operator=(MoveOnly&&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(n);
  }
  int n = 0;
};

void check_square(int n, const Outcome<int>& outcome) {
  if (n % 10 == 3) {
    CHECK(outcome.ending() == Ending::crashed);
    CHECK(outcome.error().signal == SIGSEGV);
  } else if (n % 10 == 7) {
    CHECK(outcome.ending() == Ending::exited);
  } else {
    CHECK(outcome.value() == n * n);
  }
}

}  // namespace

TEST_CASE("a pool: each future gets its own outcome, crashes included", "[pool]") {
  const NothingLeftBehind check;
  ProcessPool<int(int)> pool(square_or_die, {.num_workers = 2});
  std::vector<std::future<Outcome<int>>> futures;
  for (int n = 0; n < 100; ++n) futures.push_back(pool.submit(n));
  for (int n = 0; n < 100; ++n) check_square(n, futures[static_cast<std::size_t>(n)].get());
  CHECK(pool.submit(12).get().value() == 144);
}

TEST_CASE("a pool: map keeps the order, also of a range that throws in the end", "[pool]") {
  const NothingLeftBehind check;
  ProcessPool<int(int)> pool(square_or_die, {.num_workers = 2});
  const auto outcomes = pool.map(up_to(200));
  REQUIRE(outcomes.size() == 200);
  for (int n = 0; n < 200; ++n) check_square(n, outcomes[static_cast<std::size_t>(n)]);
  auto throwing =
      up_to(10) | std::views::transform([](int n) { return n < 5 ? n : throw std::runtime_error("no more"); });
  CHECK_THROWS_WITH(pool.map(throwing), "no more");
  CHECK(pool.map(std::vector<int>{}).empty());
}

TEST_CASE("a pool: void results, move-only items, a stop token", "[pool]") {
  const NothingLeftBehind check;
  ProcessPool<void(MoveOnly)> pool([](MoveOnly item, std::stop_token) {
    if (item.n == 1) throw std::runtime_error("one");
  });
  CHECK(pool.submit(MoveOnly(0)).get().has_value());
  CHECK(pool.submit(MoveOnly(1)).get().error().what == "one");
}

TEST_CASE("a pool: used from many threads at once", "[pool]") {
  const NothingLeftBehind check;
  ProcessPool<int(int)> pool([](int n) { return n + 1; }, {.num_workers = 2});
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int n = 0; n < 200; ++n) right += pool.submit(t * 1000 + n).get().value() == t * 1000 + n + 1;
      for (const auto& outcome : pool.map(up_to(100))) right += outcome.has_value();
    });
  for (auto& thread : threads) thread.join();
  CHECK(right == 8 * 300);
}

TEST_CASE("a pool: made in a thread that ends", "[pool]") {
  const NothingLeftBehind check;
  std::unique_ptr<ProcessPool<int(int)>> pool;
  std::thread([&] {
    pool = std::make_unique<ProcessPool<int(int)>>(square_or_die, WorkOptions{.num_workers = 2});
    CHECK(pool->submit(2).get().value() == 4);
  }).join();
  for (int n = 0; n < 30; ++n) check_square(n, pool->submit(n).get());
}

TEST_CASE("a pool: in a host that waits for any child, or ignores SIGCHLD", "[pool]") {
  const NothingLeftBehind check;
  const bool ignores = GENERATE(false, true);
  auto before = ::signal(SIGCHLD, ignores ? SIG_IGN : SIG_DFL);
  {
    ProcessPool<int(int)> pool(square_or_die, {.num_workers = 2});
    std::atomic<bool> done = false;
    std::thread reaper([&] {
      while (!done) {
        if (!ignores) ::waitpid(-1, nullptr, WNOHANG);
        std::this_thread::yield();
      }
    });
    for (int n = 0; n < 40; ++n) check_square(n, pool.submit(n).get());
    done = true;
    reaper.join();
  }
  ::signal(SIGCHLD, before);
}

TEST_CASE("a pool: closed, it finishes what it has and takes nothing more", "[pool]") {
  const NothingLeftBehind check;
  ProcessPool<int(int)> pool(square_or_die, {.num_workers = 2});
  std::vector<std::future<Outcome<int>>> futures;
  for (int n = 0; n < 50; ++n) futures.push_back(pool.submit(n));
  pool.close();
  auto late = pool.submit(1);
  CHECK(late.wait_for(0s) == std::future_status::ready);
  CHECK(late.get().ending() == Ending::cancelled);
  pool.join();
  pool.join();
  for (int n = 0; n < 50; ++n) {
    REQUIRE(futures[static_cast<std::size_t>(n)].wait_for(0s) == std::future_status::ready);
    check_square(n, futures[static_cast<std::size_t>(n)].get());
  }
}

TEST_CASE("a pool: destroyed, it cancels what waits and ends what runs", "[pool]") {
  const NothingLeftBehind check;
  std::vector<std::future<Outcome<int>>> futures;
  {
    ProcessPool<int(int)> pool(
        [](int n) {
          for (;;) ::pause();
          return n;
        },
        {.num_workers = 2, .kill_grace = 100ms});
    for (int n = 0; n < 20; ++n) futures.push_back(pool.submit(n));
  }
  for (auto& future : futures) {
    REQUIRE(future.wait_for(0s) == std::future_status::ready);
    CHECK(future.get().ending() == Ending::cancelled);
  }
}

TEST_CASE("a pool: a stop of the options' own cancels it", "[pool]") {
  const NothingLeftBehind check;
  std::stop_source stop;
  ProcessPool<int(int)> pool(
      [](int n) {
        for (;;) ::pause();
        return n;
      },
      {.num_workers = 1, .kill_grace = 100ms, .stop = stop.get_token()});
  auto future = pool.submit(1);
  stop.request_stop();
  CHECK(future.get().ending() == Ending::cancelled);
  CHECK(pool.submit(2).get().ending() == Ending::cancelled);
}

TEST_CASE("a pool: its fork server may be killed, and its workers go on", "[pool]") {
  const NothingLeftBehind check;
  std::atomic<long> server = 0;
  std::atomic<int> lost = 0;
  ProcessPool<int(int)> pool(square_or_die, {.num_workers = 2, .on_event = [&](const Event& event) {
                                               if (event.kind == EventKind::fork_server_started) server = event.process;
                                               if (event.kind == EventKind::fork_server_lost) ++lost;
                                             }});
  for (int round = 0; round < 20; ++round) {
    std::vector<std::future<Outcome<int>>> futures;
    for (int n = 0; n < 20; ++n) {
      futures.push_back(pool.submit(n));
      if (n == round && server > 1) ::kill(static_cast<pid_t>(server.exchange(0)), SIGKILL);
    }
    for (int n = 0; n < 20; ++n) {
      const Outcome<int> outcome = futures[static_cast<std::size_t>(n)].get();
      if (n % 10 == 3)
        CHECK(outcome.ending() == Ending::crashed);
      else if (n % 10 != 7)
        CHECK(outcome.value() == n * n);
    }
  }
  CHECK(lost > 0);
}

TEST_CASE("a pool: worker_init that fails gives it up, and every future says why", "[pool]") {
  const NothingLeftBehind check;
  ProcessPool<int(int)> pool(square_or_die, {.num_workers = 2, .respawn = {.limit = 3}, .worker_init = [] {
                                               throw std::runtime_error("no model here");
                                             }});
  for (int n = 0; n < 5; ++n) {
    const auto outcome = pool.submit(n).get();
    CHECK(outcome.ending() == Ending::abandoned);
    CHECK(outcome.error().what.find("no model here") != std::string::npos);
  }
}

TEST_CASE("a pool: submitting from on_event, where waiting is refused", "[pool]") {
  const NothingLeftBehind check;
  ProcessPool<int(int)>* self = nullptr;
  std::promise<std::future<Outcome<int>>> inner;
  std::promise<bool> refused;
  std::atomic<bool> first = true;
  ProcessPool<int(int)> pool([](int n) { return n; },
                             {.num_workers = 1, .on_event = [&](const Event& event) {
                                if (event.kind != EventKind::task_finished || !first.exchange(false)) return;
                                inner.set_value(self->submit(5));
                                try {
                                  self->map(std::vector<int>{1});
                                } catch (const std::logic_error&) {
                                  refused.set_value(true);
                                }
                              }});
  self = &pool;
  CHECK(pool.submit(1).get().value() == 1);
  CHECK(inner.get_future().get().get().value() == 5);
  CHECK(refused.get_future().get());
}

TEST_CASE("a pool: a listener that throws ends it, and no future is left out", "[pool]") {
  const NothingLeftBehind check;
  ProcessPool<int(int)> pool([](int n) { return n; }, {.num_workers = 1, .on_event = [](const Event& event) {
                                                         if (event.kind == EventKind::task_finished)
                                                           throw std::runtime_error("listener");
                                                       }});
  std::vector<std::future<Outcome<int>>> futures;
  for (int n = 0; n < 10; ++n) futures.push_back(pool.submit(n));
  for (auto& future : futures) CHECK(future.get().ending() == Ending::abandoned);
}

TEST_CASE("a pool: nested, kept by a worker from one task to the next", "[pool]") {
  const NothingLeftBehind check;
  ProcessPool<long(int)> pool(
      [](int n) {
        static ProcessPool<int(int)> inner(square_or_die, {.num_workers = 1});
        long sum = ::getpid() * 0L;
        for (const auto& outcome : inner.map(up_to(5))) sum += outcome ? *outcome : 1000;
        return sum + n;
      },
      {.num_workers = 2});
  for (int n = 0; n < 10; ++n) CHECK(pool.submit(n).get().value() == 0 + 1 + 4 + 1000 + 16 + n);
}

TEST_CASE("a pool: workers are renewed after their number of tasks", "[pool]") {
  const NothingLeftBehind check;
  ProcessPool<int(int)> pool([](int) { return static_cast<int>(::getpid()); },
                             {.num_workers = 2, .max_tasks_per_worker = 5});
  std::map<int, int> tasks_of;
  for (const auto& outcome : pool.map(up_to(100))) ++tasks_of[outcome.value()];
  CHECK(tasks_of.size() >= 20);
  for (const auto& [pid, tasks] : tasks_of) CHECK(tasks <= 5);
}

TEST_CASE("a pool: options that cannot be meant are refused at the door", "[pool]") {
  const NothingLeftBehind check;
  CHECK_THROWS_AS(ProcessPool<int(int)>(square_or_die, {.per_sync_timeout = 0ms}), std::invalid_argument);
  CHECK_THROWS_AS(ProcessPool<int(int)>(square_or_die, {.retry = {.max_retries = 70000}}), std::invalid_argument);
}

TEST_CASE("a pool: what the host does after it was made, workers do not see", "[pool]") {
  const NothingLeftBehind check;
  static int seen = 1;
  ProcessPool<int(int)> pool(
      [](int n) {
        if (n == 0) ::_exit(1);
        return seen;
      },
      {.num_workers = 1});
  CHECK(pool.submit(1).get().value() == 1);
  seen = 2;
  CHECK(pool.submit(0).get().ending() == Ending::exited);
  CHECK(pool.submit(1).get().value() == 1);
  seen = 1;
}

TEST_CASE("a pool's copy in a forked child says that it is one, instead of waiting for ever", "[pool]") {
  ProcessPool<int(int)> pool([](int n) { return n; }, {.num_workers = 1});
  CHECK(pool.submit(1).get().value() == 1);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int refused = 0;
    const auto refuses = [&](auto&& use) {
      try {
        use();
      } catch (const std::logic_error& error) {
        refused += std::string(error.what()).find("came by fork") != std::string::npos;
      }
    };
    refuses([&] { static_cast<void>(pool.submit(2)); });
    refuses([&] { static_cast<void>(pool.map(std::vector<int>{3})); });
    refuses([&] { static_cast<void>(pool.statistics()); });
    refuses([&] { pool.close(); });
    refuses([&] { pool.join(); });
    ::_exit(refused);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 5);
  CHECK(pool.submit(4).get().value() == 4);
}
