// Faults that are no cell of the crash matrix: siblings that kill each other, dead receivers, inputs that throw,
// workers that are replaced while a run ends, runs within runs, counts at the edges.
#include <bulkhead/channel.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "numbers.hpp"
#include "parent_of.hpp"
#include "single_pass_range.hpp"
#include "storm_seed.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <new>
#include <numeric>
#include <random>
#include <ranges>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

// The workers of a run as its workers know them, by slot.
struct Siblings {
  static constexpr std::size_t most = 8;
  std::array<std::atomic<int>, most> pids{};
  std::atomic<int> kills{0};
};
static_assert(std::atomic<int>::is_always_lock_free);

// The number may have become another process's since it was noted. The descriptor holds on to one process, and who its
// parent is tells, after that, whether it is a worker of ours.
bool kill_sibling(long pid) {
  if (pid <= 1 || pid == ::getpid()) return false;
  const int sibling = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (sibling < 0) return false;
  const bool ours = parent_of(pid) == ::getppid() && ::getppid() > 1;
  const bool sent = ours && ::syscall(SYS_pidfd_send_signal, sibling, SIGKILL, nullptr, 0) == 0;
  ::close(sibling);
  return sent;
}

void spin(unsigned turns) {
  volatile unsigned idle = 0;
  for (unsigned i = 0; i < turns; ++i) idle = idle + 1;
}

struct SiblingStorm {
  std::size_t crashed = 0;
  int kills = 0;
};

// Some tasks kill a worker beside their own, after a delay between none and some hundred microseconds.
SiblingStorm run_sibling_storm(unsigned seed, unsigned retries) {
  constexpr int most_kills = 200;
  SharedRegion region(sizeof(Siblings));
  Siblings& siblings = *::new (static_cast<void*>(region.bytes().data())) Siblings;
  WorkOptions options{.num_workers = 4, .retry = {.max_retries = retries, .on = {Ending::crashed}}};
  options.respawn.limit = 10 * most_kills;
  const auto work = [&](int n) {
    siblings.pids[static_cast<std::size_t>(this_task()->worker)] = ::getpid();
    std::minstd_rand random(seed + static_cast<unsigned>(n) * 7919u + this_task()->attempt);
    spin(static_cast<unsigned>(random() % 300'000));
    if (random() % 8 == 0 && siblings.kills < most_kills) siblings.kills += kill_sibling(siblings.pids[random() % 4]);
    return 2 * n;
  };
  const auto results = do_process_work(up_to(2000), work, options);
  SiblingStorm storm{.kills = siblings.kills};
  REQUIRE(results.size() == 2000);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i]) {
      REQUIRE(*results[i] == static_cast<int>(2 * i));
    } else {
      ++storm.crashed;
      REQUIRE(results[i].ending() == Ending::crashed);
      REQUIRE(results[i].error().signal == SIGKILL);
    }
  }
  return storm;
}

}  // namespace

TEST_CASE("workers that kill each other cost no more tasks than kills", "[faults]") {
  const NothingLeftBehind check;
  const unsigned seed = chosen_seed();
  const SiblingStorm charged = run_sibling_storm(seed, 0);
  CHECK(charged.kills > 0);
  CHECK(charged.crashed <= static_cast<std::size_t>(charged.kills));
  const SiblingStorm retried = run_sibling_storm(seed + 1, 1000);
  CHECK(retried.kills > 0);
  CHECK(retried.crashed == 0);
  std::printf("siblings: %d and %d kills, %zu tasks crashed\n", charged.kills, retried.kills, charged.crashed);
}

namespace {

// An item that is encoded only when the worker it will be dealt to is dead.
struct Late {
  static inline long receiver = 0;
  static inline bool was_dead = false;
  int n = 0;
  std::string text{};
  template <class Archive>
  void save(Archive& archive) const {
    if (n == 1) was_dead = ends_within(receiver, 20s);
    archive(n, text);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(n, text);
  }
};

}  // namespace

TEST_CASE("items larger than any buffer, dealt to a worker that is already dead, go on elsewhere", "[faults]") {
  const NothingLeftBehind check;
  const std::size_t size = GENERATE(std::size_t{100}, std::size_t{100'000}, std::size_t{16} << 20);
  Counter counter{.last = 6};
  auto items = counter | std::views::transform([&](int n) { return Late{n, std::string(size, 'a')}; });
  WorkOptions options{.num_workers = 1};
  options.prefetch = 4;
  Late::receiver = 0;
  Late::was_dead = false;
  options.on_event = [](const Event& event) {
    if (event.kind == EventKind::worker_started && Late::receiver == 0) Late::receiver = event.process;
  };
  const auto results = do_process_work(
      items,
      [](const Late& late) {
        if (late.n == 0) misbehave(Way::killed);
        return late.text.size();
      },
      options);
  CHECK(Late::was_dead);
  REQUIRE(results.size() == 6);
  CHECK(results[0].ending() == Ending::crashed);
  CHECK(results[0].error().signal == SIGKILL);
  for (std::size_t i = 1; i < results.size(); ++i) {
    CHECK(results[i].value() == size);
    CHECK(results[i].stats().attempts == 1);
  }
}

TEST_CASE("100 MB travel each way while others work", "[faults]") {
  const NothingLeftBehind check;
  constexpr std::size_t large = 100'000'000;
  const auto size_of = [](int n) { return n == 3 ? large : 10; };
  auto items = std::views::iota(0, 40) | std::views::transform([&](int n) {
                 return std::pair(n, std::string(size_of(n), static_cast<char>('a' + n % 26)));
               });
  const auto results =
      do_process_work(items,
                      [](std::pair<int, std::string> item) {
                        item.second.back() = 'z';
                        return item;
                      },
                      {.num_workers = 2, .max_item_bytes = 128u << 20, .max_result_bytes = 128u << 20});
  REQUIRE(results.size() == 40);
  for (int n = 0; n < 40; ++n) {
    const auto& [number, text] = results[static_cast<std::size_t>(n)].value();
    CHECK(number == n);
    REQUIRE(text.size() == size_of(n));
    CHECK(text.front() == static_cast<char>('a' + n % 26));
    CHECK(text.back() == 'z');
  }
}

TEST_CASE("an input that throws ends a run behind all that came before, crashes among it", "[faults]") {
  const NothingLeftBehind check;
  const int at = GENERATE(0, 1, 7, 63, 2000);
  const int crashes = GENERATE(-1, 0, 5);
  const auto work = [crashes](int n) {
    if (n == crashes) misbehave(Way::aborts);
    return n;
  };
  const WorkOptions options{.num_workers = 2};
  Counter streamed{.throws_at = at};
  int delivered = 0, failed = 0;
  const auto consume = [&] {
    for (auto& [index, outcome] : process_stream(streamed, work, options)) {
      REQUIRE(index == static_cast<std::size_t>(delivered++));
      failed += !outcome;
      if (outcome) REQUIRE(*outcome == static_cast<int>(index));
    }
  };
  CHECK_THROWS_WITH(consume(), "no item " + std::to_string(at));
  CHECK(delivered == at);
  CHECK(failed == (crashes >= 0 && crashes < at ? 1 : 0));

  int finished = 0;
  WorkOptions counted = options;
  counted.on_event = [&](const Event& event) { finished += event.kind == EventKind::task_finished; };
  Counter batch{.throws_at = at};
  CHECK_THROWS_WITH(do_process_work(batch, work, counted), "no item " + std::to_string(at));
  CHECK(finished == at);
}

TEST_CASE("workers replaced after three tasks: nothing is lost while the run ends or is stopped", "[faults]") {
  const NothingLeftBehind check;
  const std::size_t workers = GENERATE(std::size_t{1}, std::size_t{2});
  const std::size_t ahead = GENERATE(std::size_t{0}, std::size_t{2}, std::size_t{50}, WorkOptions::automatic);
  const int stop_after = GENERATE(1, 2, 3, 4, 7, 1000);
  std::stop_source stop;
  int finished = 0;
  WorkOptions options{.num_workers = workers, .kill_grace = 100ms, .max_tasks_per_worker = 3, .stop = stop.get_token()};
  options.prefetch = ahead;
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::task_finished && ++finished == stop_after) stop.request_stop();
  };
  const auto results = do_process_work(
      up_to(40),
      [](int n) {
        if (n == 5) misbehave(Way::killed);  // what its lane held comes back while others are replaced
        return n;
      },
      options);
  REQUIRE(results.size() == 40);
  int values = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    CAPTURE(i, results[i] ? "value" : results[i].error().describe());
    CHECK(results[i].stats().attempts <= 1);
    if (results[i]) {
      ++values;
      CHECK(*results[i] == static_cast<int>(i));
    } else if (i == 5 && results[i].ending() != Ending::cancelled) {
      CHECK(results[i].ending() == Ending::crashed);
    } else {
      CHECK(results[i].ending() == Ending::cancelled);
    }
  }
  if (stop_after == 1000) CHECK(values == 39);
}

TEST_CASE("a run within a task ends with its worker", "[faults]") {
  const NothingLeftBehind check;
  const Way way = GENERATE(Way::killed, Way::aborts, Way::exits_7, Way::hangs);
  // The inner workers have the writing end: its end of file means that they are gone.
  Gate life;
  const auto outer = [&](int n) {
    if (n != 1) return n;
    WorkOptions inner{.num_workers = 2};
    inner.on_event = [&](const Event& event) {
      if (event.kind == EventKind::task_output) misbehave(way);
    };
    const auto results = do_process_work(
        up_to(4),
        [](int m) {
          emit_output(1, {});
          for (;;) ::pause();
          return m;
        },
        inner);
    return static_cast<int>(results.size());
  };
  WorkOptions options{.num_workers = 2, .kill_grace = 100ms};
  if (way == Way::hangs) options.task_timeout = 500ms;
  const auto results = do_process_work(up_to(6), outer, options);
  for (std::size_t i = 0; i < results.size(); ++i) CHECK(results[i].has_value() == (i != 1));
  const Ending expected = way == Way::hangs     ? Ending::timed_out
                          : way == Way::exits_7 ? Ending::exited
                                                : Ending::crashed;
  CHECK(to_string(results[1].ending()) == to_string(expected));
  CHECK(life.is_deserted_within(2s));
}

TEST_CASE("as many items as a lane holds, one less and one more", "[faults]") {
  const NothingLeftBehind check;
  const std::size_t size = GENERATE(std::size_t{100}, std::size_t{8'100});
  // The first task ends when the input has come as far as it can: the lane is full, or all of it is in there.
  const int capacity = static_cast<int>((256u << 10) / (size + 24));
  for (int count = capacity - 2; count <= capacity + 3; ++count) {
    Gate gate;
    WorkOptions options{.num_workers = 1, .per_sync_timeout = 5ms};
    options.prefetch = 100'000;
    options.on_event = [&](const Event& event) {
      if (event.kind == EventKind::heartbeat && !gate.is_open()) gate.open();
    };
    auto items =
        std::views::iota(0, count) | std::views::transform([&](int n) { return std::pair(n, std::string(size, 'i')); });
    const auto results = do_process_work(
        items,
        [&](const std::pair<int, std::string>& item) {
          if (item.first == 0) gate.opens_within(60s);
          return item.first;
        },
        options);
    REQUIRE(results.size() == static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) REQUIRE(results[static_cast<std::size_t>(i)].value() == i);
  }
}

TEST_CASE("as many items as a stream lets wait, one less and one more", "[faults]") {
  const NothingLeftBehind check;
  using Stream = decltype(process_stream(std::declval<std::vector<int>>(), std::declval<int (*)(int)>()));
  constexpr int window = static_cast<int>(Stream::window);
  const int count = window + GENERATE(-1, 0, 1);
  // The first task ends only when all others have that the window lets in.
  Gate gate;
  int others = 0;
  WorkOptions options{.num_workers = 2};
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::task_finished && event.task != 0 && ++others == std::min(count, window) - 1)
      gate.open();
  };
  int next = 0;
  for (auto& [index, outcome] : process_stream(
           up_to(count),
           [&](int n) {
             if (n == 0) gate.pass();
             return n;
           },
           options)) {
    REQUIRE(index == static_cast<std::size_t>(next));
    REQUIRE(outcome.value() == next++);
  }
  CHECK(next == count);
}

namespace {

void throw_at(EventKind kind) {
  const NothingLeftBehind check;
  Gate heard;
  WorkOptions options{.num_workers = 2, .per_sync_timeout = 5ms, .retry = {.max_retries = 1}};
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::heartbeat && !heard.is_open()) heard.open();
    if (event.kind == kind) throw std::runtime_error("enough");
  };
  const auto work = [&](int n) {
    if (n == 0) heard.opens_within(60s);
    if (n == 3) emit_output(1, {});
    if (n == 7) misbehave(Way::killed);
    return n;
  };
  CHECK_THROWS_WITH(do_process_work(up_to(20), work, options), "enough");
}

}  // namespace

// One case each: where such an exception ended the process, the others would not be heard of.
TEST_CASE("on_event throws at the start of a run", "[faults]") { throw_at(EventKind::run_started); }
TEST_CASE("on_event throws at the start of a worker", "[faults]") { throw_at(EventKind::worker_started); }
TEST_CASE("on_event throws at the start of a task", "[faults]") { throw_at(EventKind::task_started); }
TEST_CASE("on_event throws at a task's output", "[faults]") { throw_at(EventKind::task_output); }
TEST_CASE("on_event throws at a lost attempt", "[faults]") { throw_at(EventKind::attempt_lost); }
TEST_CASE("on_event throws at a finished task", "[faults]") { throw_at(EventKind::task_finished); }
TEST_CASE("on_event throws at a worker's death", "[faults]") { throw_at(EventKind::worker_died); }
TEST_CASE("on_event throws at a heartbeat", "[faults]") { throw_at(EventKind::heartbeat); }
TEST_CASE("on_event throws at the end of a run", "[faults]") { throw_at(EventKind::run_finished); }
