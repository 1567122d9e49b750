// Tiny tasks travel in rows and come back in runs: nothing of that is to be seen, whatever happens in the middle of
// one.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

constexpr int item_count = 20'000;  // enough for lanes as deep as they get

const WorkOptions two_workers{.num_workers = 2};

bool in_worker = false;

struct Numbered {
  int n = 0;
  std::string rest{};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(n, rest);
  }
};

// Some have something to say at their end, where that is heard: the runs of others are long.
bool speaks(int n) { return n % 50 == 49; }

void speak() { emit_output(1, std::as_bytes(std::span("an end"))); }

struct Talkative : Numbered {
  Talkative() = default;
  explicit Talkative(int number, std::size_t size = 0) : Numbered{number, std::string(size, 'r')} {}
  Talkative(const Talkative&) = default;
  Talkative& operator=(const Talkative&) = default;
  ~Talkative() {
    if (in_worker && speaks(n)) speak();
  }
};

// Its end fails, for some.
struct Unruly : Numbered {
  Unruly() = default;
  explicit Unruly(int number, std::size_t size = 0) : Numbered{number, std::string(size, 'r')} {}
  Unruly(const Unruly&) = default;
  Unruly& operator=(const Unruly&) = default;
  ~Unruly() noexcept(false) {
    if (in_worker && fails(n)) throw std::runtime_error("no end");
  }
  static bool fails(int n) { return n % 97 == 96; }
};

// Cannot be sent, for some, and speaks at its end.
struct Unsendable : Numbered {
  Unsendable() = default;
  explicit Unsendable(int number) : Numbered{number} {}
  Unsendable(const Unsendable&) = default;
  Unsendable& operator=(const Unsendable&) = default;
  ~Unsendable() {
    if (in_worker && speaks(n)) speak();
  }
  static bool fails(int n) { return n % 25 == 24; }
  template <class Archive>
  void serialize(Archive& archive) {
    if (in_worker && fails(n)) throw std::runtime_error("not to be sent");
    Numbered::serialize(archive);
  }
};

constexpr std::size_t too_large_for_its_place = 20'000;  // bytes of a result
constexpr int fewer = 500;                               // tasks, where each takes its time or much room

// Longer than the tasks whose time is not taken one by one.
void take_a_while() {
  for (const auto end = std::chrono::steady_clock::now() + 50us; std::chrono::steady_clock::now() < end;) {
  }
}

template <class Item>
std::vector<Item> numbered(int count) {
  std::vector<Item> items;
  for (int n = 0; n < count; ++n) items.emplace_back(n);
  return items;
}

WorkOptions told_where() {
  WorkOptions options = two_workers;
  options.worker_init = [] { in_worker = true; };
  return options;
}

// Its outcomes, where each task was heard that speaks: as often as the others, since a copy of an item speaks as well.
template <class Items, class Task>
auto heard_outcomes(const Items& items, Task task) {
  std::vector<int> heard(static_cast<std::size_t>(std::ranges::distance(items)));
  WorkOptions options = told_where();
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::task_output) ++heard[event.task];
  };
  auto outcomes = do_process_work(items, task, options);
  const int ends = heard[49];
  REQUIRE((ends == 1 || ends == 2));
  for (std::size_t i = 0; i < heard.size(); ++i) REQUIRE(heard[i] == (speaks(static_cast<int>(i)) ? ends : 0));
  return outcomes;
}

template <class Outcomes, class IsRight>
void require_values(const Outcomes& outcomes, IsRight&& is_right) {
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    REQUIRE((outcomes[i] && is_right(static_cast<int>(i), outcomes[i])));
}

template <class Outcomes>
void require_unruly_failed(const Outcomes& outcomes) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto& outcome = outcomes[i];
    REQUIRE(outcome.has_value() != Unruly::fails(static_cast<int>(i)));
    if (outcome)
      REQUIRE(outcome->n == static_cast<int>(i));
    else
      REQUIRE((outcome.ending() == Ending::exception && outcome.error().what == "no end"));
  }
}

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

TEST_CASE("what an item says at its end is heard, and takes no result's place", "[rows]") {
  const NothingLeftBehind check;
  const auto items = numbered<Talkative>(item_count);
  require_values(heard_outcomes(items, [](const Talkative& item) { return item.n; }),
                 [](int n, const auto& outcome) { return *outcome == n; });
  require_values(heard_outcomes(items, [](const Talkative& item) { return std::to_string(item.n); }),
                 [](int n, const auto& outcome) { return *outcome == std::to_string(n); });
  require_values(heard_outcomes(items, [](const Talkative&) {}), [](int, const auto&) { return true; });
  const auto few = numbered<Talkative>(fewer);
  require_values(
      heard_outcomes(few, [](const Talkative& item) { return std::string(too_large_for_its_place, char(item.n)); }),
      [](int n, const auto& outcome) { return *outcome == std::string(too_large_for_its_place, char(n)); });
  require_values(heard_outcomes(few,
                                [](const Talkative& item) {
                                  take_a_while();
                                  return item.n;
                                }),
                 [](int n, const auto& outcome) { return *outcome == n; });
}

TEST_CASE("what a result says at its end is heard, and takes no result's place", "[rows]") {
  const NothingLeftBehind check;
  const auto is_right = [](int n, const auto& outcome) { return outcome->n == n; };
  require_values(heard_outcomes(std::views::iota(0, item_count), [](int n) { return Talkative(n); }), is_right);
  const auto few = std::views::iota(0, fewer);
  require_values(heard_outcomes(few, [](int n) { return Talkative(n, too_large_for_its_place); }),
                 [=](int n, const auto& outcome) {
                   return is_right(n, outcome) && outcome->rest == std::string(too_large_for_its_place, 'r');
                 });
  require_values(heard_outcomes(few,
                                [](int n) {
                                  take_a_while();
                                  return Talkative(n);
                                }),
                 is_right);
}

TEST_CASE("a result whose end fails is its own task's failure", "[rows]") {
  const NothingLeftBehind check;
  require_unruly_failed(do_process_work(
      std::views::iota(0, item_count), [](int n) { return Unruly(n); }, told_where()));
  const auto few = std::views::iota(0, fewer);
  require_unruly_failed(do_process_work(
      few, [](int n) { return Unruly(n, too_large_for_its_place); }, told_where()));
  require_unruly_failed(do_process_work(
      few,
      [](int n) {
        take_a_while();
        return Unruly(n);
      },
      told_where()));
}

TEST_CASE("a result that cannot be sent is heard at its end all the same", "[rows]") {
  const NothingLeftBehind check;
  const auto outcomes = heard_outcomes(std::views::iota(0, item_count), [](int n) { return Unsendable(n); });
  for (int n = 0; n < item_count; ++n) {
    const auto& outcome = outcomes[static_cast<std::size_t>(n)];
    REQUIRE(outcome.ending() == (Unsendable::fails(n) ? Ending::not_serializable : Ending::value));
    if (outcome) REQUIRE(outcome->n == n);
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
