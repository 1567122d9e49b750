// Tiny tasks travel in rows and come back in runs: nothing of that is to be seen, whatever happens in the middle of
// one.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"

#include <chrono>
#include <cstdint>
#include <list>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

using namespace bulkhead;

namespace {

constexpr int item_count = 20'000;  // enough for lanes as deep as they get

const WorkOptions two_workers{.num_workers = 2};

bool in_worker = false;

// Has something to say at its end, where that is heard.
struct Talkative {
  int n = 0;

  Talkative() = default;
  explicit Talkative(int number) : n(number) {}
  Talkative(const Talkative&) = default;
  Talkative& operator=(const Talkative&) = default;
  ~Talkative() {
    if (!in_worker) return;
    try {
      emit_output(1, std::as_bytes(std::span("an end")));
    } catch (const std::logic_error&) {  // its own result is being sent
    }
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(n);
  }
};

// Its end fails, for some.
struct Unruly {
  int n = 0;

  Unruly() = default;
  explicit Unruly(int number) : n(number) {}
  Unruly(const Unruly&) = default;
  Unruly& operator=(const Unruly&) = default;
  ~Unruly() noexcept(false) {
    if (in_worker && fails(n)) throw std::runtime_error("no end");
  }
  static bool fails(int n) { return n % 997 == 996; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(n);
  }
};

}  // namespace

TEST_CASE("a range that throws in the middle of a row has all results of the items before", "[rows]") {
  const NothingLeftBehind check;
  const std::list<int> numbers = [] {
    std::list<int> all;
    for (int n = 0; n < item_count; ++n) all.push_back(n);
    return all;
  }();
  for (const int bad : {0, 1, 63, 64, 65, 1000, item_count - 1}) {
    auto items = numbers | std::views::filter([&](int n) {
                   if (n == bad) throw std::runtime_error("unreadable");
                   return true;
                 });
    int next = 0;
    const auto read = [&] {
      for (auto& [index, outcome] : process_stream(
               items, [](int n) { return n + 1; }, two_workers)) {
        REQUIRE(index == static_cast<std::size_t>(next));
        REQUIRE(outcome.value() == ++next);
      }
    };
    CHECK_THROWS_WITH(read(), "unreadable");
    CHECK(next == bad);
  }
}

TEST_CASE("items of all sizes in one row come back in order", "[rows]") {
  const NothingLeftBehind check;
  const auto size_of = [](std::size_t i) { return i % 97 == 0 ? 9000 + i % 7 : i % 5 == 0 ? i % 40 : std::size_t{8}; };
  auto items = std::views::iota(std::size_t{0}, std::size_t{5000}) |
               std::views::transform([&](std::size_t i) { return std::string(size_of(i), 'i'); });
  std::size_t next = 0;
  for (auto& [index, outcome] : process_stream(
           items, [](std::string item) { return item; }, two_workers)) {
    REQUIRE(index == next);
    REQUIRE(outcome.value().size() == size_of(next++));
  }
  CHECK(next == 5000);
}

TEST_CASE("an item that is too large fails alone in its row", "[rows]") {
  const NothingLeftBehind check;
  WorkOptions options = two_workers;
  options.max_item_bytes = 4;
  const std::vector<double> eight_bytes(200, 1.5);
  for (const auto& outcome : do_process_work(
           eight_bytes, [](double x) { return x; }, options))
    REQUIRE(outcome.ending() == Ending::too_large);
  std::vector<std::string> items(500, "1234");
  items[77] = items[78] = items[499] = "12345";
  const auto outcomes = do_process_work(
      items, [](const std::string& item) { return item.size(); }, options);
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    REQUIRE(outcomes[i].ending() == (items[i].size() == 5 ? Ending::too_large : Ending::value));
}

TEST_CASE("a task that crashes in the middle of a run costs itself alone", "[rows]") {
  const NothingLeftBehind check;
  const auto crashes = [](int n) { return n % 4999 == 4998; };
  std::size_t next = 0;
  for (auto& [index, outcome] : process_stream(
           std::views::iota(0, item_count),
           [&](int n) {
             if (crashes(n)) misbehave(Way::killed);
             return n % 3 == 0;
           },
           two_workers)) {
    REQUIRE(index == next++);
    const int n = static_cast<int>(index);
    REQUIRE(outcome.ending() == (crashes(n) ? Ending::crashed : Ending::value));
    if (!crashes(n)) REQUIRE(*outcome == (n % 3 == 0));
  }
  CHECK(next == item_count);
}

TEST_CASE("runs of results without a byte, and of those that fail now and then", "[rows]") {
  const NothingLeftBehind check;
  for (const auto& outcome : do_process_work(
           std::views::iota(0, item_count), [](int) {}, two_workers))
    REQUIRE(outcome.has_value());
  const auto outcomes = do_process_work(
      std::views::iota(0, item_count),
      [](int n) {
        if (n % 1013 == 0) throw std::runtime_error("no");
        return std::string(n % 2048 < 1024 ? 3u : static_cast<unsigned>(n % 7), 'r');
      },
      two_workers);
  for (int n = 0; n < item_count; ++n) {
    const auto& outcome = outcomes[static_cast<std::size_t>(n)];
    REQUIRE(outcome.ending() == (n % 1013 == 0 ? Ending::exception : Ending::value));
    if (n % 1013 != 0) REQUIRE(outcome->size() == (n % 2048 < 1024 ? 3u : static_cast<unsigned>(n % 7)));
  }
}

TEST_CASE("what an item or a result says at its end takes no result's place", "[rows]") {
  const NothingLeftBehind check;
  WorkOptions options = two_workers;
  options.worker_init = [] { in_worker = true; };
  std::vector<Talkative> items;
  for (int n = 0; n < item_count; ++n) items.emplace_back(n);
  const auto numbers = do_process_work(
      items, [](const Talkative& item) { return item.n; }, options);
  const auto texts = do_process_work(
      items, [](const Talkative& item) { return std::to_string(item.n); }, options);
  const auto others = do_process_work(
      std::views::iota(0, item_count), [](int n) { return Talkative(n); }, options);
  for (int n = 0; n < item_count; ++n) {
    const auto i = static_cast<std::size_t>(n);
    REQUIRE(numbers[i].value() == n);
    REQUIRE(texts[i].value() == std::to_string(n));
    REQUIRE(others[i].value().n == n);
  }
}

TEST_CASE("a result whose end fails is its own task's failure", "[rows]") {
  const NothingLeftBehind check;
  WorkOptions options = two_workers;
  options.worker_init = [] { in_worker = true; };
  const auto outcomes = do_process_work(
      std::views::iota(0, item_count), [](int n) { return Unruly(n); }, options);
  for (int n = 0; n < item_count; ++n) {
    const auto& outcome = outcomes[static_cast<std::size_t>(n)];
    REQUIRE(outcome.has_value() != Unruly::fails(n));
    if (outcome)
      REQUIRE(outcome->n == n);
    else
      REQUIRE((outcome.ending() == Ending::exception && outcome.error().what == "no end"));
  }
}

TEST_CASE("a limit for results is held against each value of a run, not all of them", "[rows]") {
  const NothingLeftBehind check;
  WorkOptions options = two_workers;
  options.max_result_bytes = 8;
  for (const auto& outcome : do_process_work(
           std::views::iota(std::uint64_t{0}, std::uint64_t{item_count}), [](std::uint64_t n) { return n; }, options))
    REQUIRE(outcome.has_value());
}

TEST_CASE("runs that are told as events are told one by one", "[rows]") {
  const NothingLeftBehind check;
  std::uint64_t finished = 0;
  WorkOptions options = two_workers;
  options.on_event = [&](const Event& event) { finished += event.kind == EventKind::task_finished; };
  const auto outcomes = do_process_work(
      std::views::iota(0, item_count), [](int n) { return n; }, options);
  CHECK(finished == item_count);
  for (int n = 0; n < item_count; ++n) REQUIRE(outcomes[static_cast<std::size_t>(n)].value() == n);
}

TEST_CASE("an endless range of items that fail goes on by windows", "[rows]") {
  const NothingLeftBehind check;
  WorkOptions options = two_workers;
  options.max_item_bytes = 4;
  std::size_t next = 0;
  for (auto& [index, outcome] : process_stream(
           std::views::iota(std::uint64_t{0}), [](std::uint64_t n) { return n; }, options)) {
    REQUIRE(index == next);
    REQUIRE(outcome.ending() == Ending::too_large);
    if (++next == 200'000) break;
  }
  CHECK(next == 200'000);
}

TEST_CASE("a listener that throws while a row is handed over has no task done twice", "[rows]") {
  const NothingLeftBehind check;
  WorkOptions options = two_workers;
  options.on_event = [](const Event& event) {
    if (event.kind == EventKind::worker_started) throw std::runtime_error("enough");
  };
  const auto slow = std::views::iota(0, 50) | std::views::transform([](int n) {
                      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(30);
                      while (std::chrono::steady_clock::now() < until) {
                      }
                      return n;
                    });
  std::vector<std::size_t> seen;
  const auto read = [&] {
    for (auto& [index, outcome] : process_stream(
             slow, [](int n) { return n; }, options))
      seen.push_back(index);
  };
  CHECK_THROWS_WITH(read(), "enough");
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == i);
}

TEST_CASE("a worker that begins with a large item dealt again goes round its lane like any other", "[rows]") {
  const NothingLeftBehind check;
  WorkOptions options{.num_workers = 1};
  options.retry.max_retries = 1;
  constexpr std::size_t size = 9000, laps_of_a_lane = 10'000;
  auto items = std::views::iota(std::size_t{0}, laps_of_a_lane) |
               std::views::transform([](std::size_t i) { return std::string(size, static_cast<char>('a' + i % 26)); });
  std::size_t next = 0;
  for (auto& [index, outcome] : process_stream(
           items,
           [](const std::string& item) {
             if (this_task()->index == 0 && this_task()->attempt == 1) crash_by(SIGSEGV);
             return static_cast<int>(item.size()) + item.back();
           },
           options)) {
    REQUIRE(index == next);
    REQUIRE(outcome.value() == static_cast<int>(size) + static_cast<int>('a' + next++ % 26));
  }
  CHECK(next == laps_of_a_lane);
}
