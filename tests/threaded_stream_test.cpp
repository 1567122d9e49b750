#include "catch.hpp"
#include "numbers.hpp"

#include <bulkhead/detail/threaded_work.hpp>

#include "single_pass_range.hpp"

#include <atomic>
#include <chrono>
#include <latch>
#include <list>
#include <memory>
#include <numeric>
#include <ranges>
#include <semaphore>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

TEST_CASE("move-only items, results and functions", "[threaded_stream]") {
  std::vector<std::unique_ptr<int>> items;
  for (int i = 0; i < 50; ++i) items.push_back(std::make_unique<int>(i));
  const auto results = do_threaded_work(std::move(items), [one = std::make_unique<int>(1)](std::unique_ptr<int> n) {
    *n += *one;
    return n;
  });
  for (int i = 0; i < 50; ++i) CHECK(*results[static_cast<std::size_t>(i)].value() == i + 1);

  int expected = 0;
  for (auto& result : threaded_stream(FivePointers{}, [](std::unique_ptr<int> n) { return n; }))
    CHECK(*result.outcome.value() == expected++);
  CHECK(expected == 5);
}

TEST_CASE("an input that throws: the stream delivers what came before", "[threaded_stream]") {
  const int at = GENERATE(0, 1, 5, 500);
  const bool ordered = GENERATE(true, false);
  auto stream =
      threaded_stream(Counter{.throws_at = at}, twice, {.num_workers = 2, .preserve_result_ordering = ordered});
  int delivered = 0;
  const auto go = [&] {
    for (auto& result : stream) {
      CHECK(result.outcome.value() == 2 * static_cast<int>(result.index));
      ++delivered;
    }
  };
  CHECK_THROWS_WITH(go(), "no item " + std::to_string(at));
  CHECK(delivered == at);
  CHECK(stream.begin() == stream.end());
  CHECK_THROWS_WITH(do_threaded_work(Counter{.throws_at = at}, twice, 2), "no item " + std::to_string(at));
}

TEST_CASE("results that nobody took end before the function, whose memory they may be made of", "[threaded_stream]") {
  static std::atomic<bool> owner_lives{false};
  static std::atomic<int> borrowed{0}, ended_late{0};
  struct Owner {
    Owner() { owner_lives = true; }
    ~Owner() { owner_lives = false; }
  };
  struct Borrowed {
    Borrowed() { ++borrowed; }
    Borrowed(const Borrowed&) { ++borrowed; }
    Borrowed& operator=(const Borrowed&) = default;
    ~Borrowed() {
      --borrowed;
      if (!owner_lives) ++ended_late;
    }
  };
  const bool ordered = GENERATE(true, false);
  ended_late = 0;
  int left = 0;
  {
    auto stream = threaded_stream(up_to(1000), [owner = std::make_shared<Owner>()](int) { return Borrowed(); },
                                  {.num_workers = 2, .preserve_result_ordering = ordered});
    auto at = stream.begin();
    for (int i = 0; i < 100; ++i) ++at;
    left = borrowed;
  }
  CHECK(left > 0);
  CHECK(borrowed == 0);
  CHECK(ended_late == 0);
}

TEST_CASE("an endless input is pulled no further than needed", "[threaded_stream]") {
  const auto takes_its_time = [](int n) {
    const auto end = std::chrono::steady_clock::now() + 100us;
    while (std::chrono::steady_clock::now() < end) continue;
    return n;
  };
  constexpr int needed = 64 + 4 * 2;  // more than two milliseconds of each thread's work
  Counter endless;
  {
    auto stream = threaded_stream(endless, takes_its_time, {.num_workers = 2, .preserve_result_ordering = false});
    CHECK(endless.at == 0);
    int taken = 0;
    for (auto& result : stream) {
      REQUIRE(result.outcome.value() == static_cast<int>(result.index));
      REQUIRE(endless.at <= taken + needed);
      if (++taken == 1000) break;
    }
  }
  CHECK(endless.at >= 999);  // the last item delivered
  CHECK(endless.at <= 1000 + needed);
}

TEST_CASE("a window is widened up to two milliseconds of work for each thread, and to no more than thousands",
          "[threaded_stream]") {
  bulkhead::detail::PullWindow window(true, 2);
  CHECK(window.size() == 72);
  CHECK_FALSE(window.is_soon_done(0ns, 2));  // nothing is known of them yet
  CHECK_FALSE(window.is_soon_done(60us, 2));
  CHECK(window.is_soon_done(50us, 2));
  CHECK_FALSE(window.is_soon_done(50us, 1));
  window.widen();
  CHECK_FALSE(window.is_soon_done(50us, 2));
  for (int i = 0; i < 20; ++i) window.widen();
  CHECK(window.size() == 4096);
  CHECK(window.is_largest());
}

TEST_CASE("of tiny tasks more are pulled ahead, and not without bound", "[threaded_stream]") {
  Counter endless;
  std::size_t taken = 0;
  for (auto& result : threaded_stream(endless, twice, {.num_workers = 2})) {
    REQUIRE(result.index == taken);
    REQUIRE(static_cast<std::size_t>(endless.at) <= taken + 4096);
    if (++taken == 100'000) break;
  }
}

TEST_CASE("a task that holds up the order keeps no thread idle", "[threaded_stream]") {
  constexpr int all = 3000;
  std::atomic<int> ended = 0;
  const auto first_waits_for_many = [&](int n) {
    if (n == 0)
      for (int seen = ended; seen < all - 1; seen = ended) ended.wait(seen);
    else if (++ended == all - 1)
      ended.notify_all();
    return n;
  };
  std::vector<int> items(all);
  std::iota(items.begin(), items.end(), 0);
  std::size_t taken = 0;
  for (auto& result : threaded_stream(items, first_waits_for_many, {.num_workers = 2}))
    REQUIRE(result.index == taken++);
  CHECK(taken == all);
}

TEST_CASE("ready() knows whether the next result has come", "[threaded_stream]") {
  std::latch may_end(1);
  const auto second_waits = [&](int n) {
    if (n == 1) may_end.wait();
    return n;
  };
  const bool ordered = GENERATE(true, false);
  auto stream =
      threaded_stream(std::vector{0, 1}, second_waits, {.num_workers = 1, .preserve_result_ordering = ordered});
  auto at = stream.begin();
  CHECK(at->index == 0);
  CHECK_FALSE(stream.ready());
  may_end.count_down();
  ++at;
  CHECK(at->index == 1);
  ++at;
  CHECK(at == stream.end());
  CHECK_FALSE(stream.ready());
}

TEST_CASE("an input that waits for the work itself gets what it waits for", "[threaded_stream]") {
  std::counting_semaphore<> permits(40);
  const auto with_permit = [&](int n) {
    permits.acquire();
    return n;
  };
  const auto gives_back = [&](int n) {
    permits.release();
    return n;
  };
  std::size_t taken = 0;
  for (auto& result :
       threaded_stream(std::views::iota(0, 2000) | std::views::transform(with_permit), gives_back, {.num_workers = 2}))
    REQUIRE(result.index == taken++);
  CHECK(taken == 2000);
}

TEST_CASE("a task may wait for what the last result owns", "[threaded_stream]") {
  std::counting_semaphore<> buffers(1);
  const auto release = [&](int*) { buffers.release(); };
  int place = 0;
  const auto takes_one = [&](int) {
    buffers.acquire();
    return std::shared_ptr<int>(&place, release);
  };
  std::size_t taken = 0;
  for (auto& result : threaded_stream(std::vector<int>(100), takes_one, {.num_workers = 1})) {
    CHECK(*result.outcome == std::shared_ptr<int>(*result.outcome));
    ++taken;
  }
  CHECK(taken == 100);
}

TEST_CASE("a result is had though its worker stands in the next task of the same run", "[threaded_stream]") {
  std::atomic<int> received = -1;
  const auto waits_for_the_last = [&](int n) {
    if (n % 1000 == 999)
      for (int seen = received; seen < n - 1; seen = received) received.wait(seen);
    return n;
  };
  std::vector<int> items(5000);
  std::iota(items.begin(), items.end(), 0);
  for (auto& result : threaded_stream(items, waits_for_the_last, {.num_workers = 1})) {
    REQUIRE(result.outcome.value() == static_cast<int>(result.index));
    received = result.outcome.value();
    received.notify_all();
  }
  CHECK(received == 4999);
}

TEST_CASE("a stream is an input range, moves, and owns what it was given", "[threaded_stream]") {
  auto stream = threaded_stream(std::list{1, 2, 3}, twice);
  static_assert(std::ranges::input_range<decltype(stream)>);
  static_assert(std::is_same_v<std::ranges::range_value_t<decltype(stream)>, Indexed<int>>);
  static_assert(!std::is_copy_constructible_v<decltype(stream)>);
  auto at = stream.begin();
  auto moved = std::move(stream);
  CHECK(at->outcome.value() == 2);
  ++at;
  CHECK((*at).outcome.value() == 4);
  CHECK(moved.begin()->index == 1);
}

TEST_CASE("destroying a stream early cancels and joins", "[threaded_stream]") {
  std::atomic<int> running = 0;
  {
    auto stream = threaded_stream(Counter{},
                                  [&](int n, std::stop_token stop) {
                                    ++running;
                                    while (n > 0 && !stop.stop_requested()) std::this_thread::yield();
                                    --running;
                                    return n;
                                  },
                                  {.num_workers = 2});
    CHECK(stream.begin()->index == 0);
  }
  CHECK(running == 0);
}
