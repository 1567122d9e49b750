// Inputs from outside: they stall, they never end, they are many, or large.
#include "hosts.hpp"

#include <bulkhead/channel.hpp>
#include <bulkhead/task.hpp>

#include <atomic>
#include <fstream>
#include <ranges>
#include <set>
#include <thread>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

constexpr int last = 30, deadly = 9, stalls_at = deadly + 1;

// 0, 1, 2 ...: single-pass, and what comes at `stalls` waits for what `open` waits for.
template <class Open>
struct Stalling {
  struct Iterator {
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    Stalling* input = nullptr;
    int operator*() const { return input->at; }
    Iterator& operator++() {
      if (++input->at == input->stalls) input->open();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& i, std::default_sentinel_t) { return i.input->at == i.input->ends; }
  };
  Iterator begin() { return {this}; }
  std::default_sentinel_t end() const { return {}; }
  Open open;
  int stalls = stalls_at, ends = last, at = 0;
};

// As above, but it says so: the coordinator waits for it together with its workers.
struct Announcing {
  struct Iterator {
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    Announcing* input = nullptr;
    int operator*() const { return input->at; }
    Iterator& operator++() { return ++input->at, *this; }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& i, std::default_sentinel_t) { return i.input->at == last; }
  };
  Iterator begin() { return {this}; }
  std::default_sentinel_t end() const { return {}; }
  bool ready() const { return at < stalls_at || crashed; }
  int wait_descriptor() const { return -1; }
  int at = 0;
  bool crashed = false;
};

// A number from one process to another.
class Teller {
 public:
  Teller() { REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0); }
  Teller(const Teller&) = delete;
  Teller& operator=(const Teller&) = delete;
  ~Teller() { ::close(ends_[0]), ::close(ends_[1]); }
  void tell(long number) const { static_cast<void>(!::write(ends_[1], &number, sizeof number)); }
  long wait(std::chrono::milliseconds at_most = 20s) const {
    long number = 0;
    const bool told = readable_within(ends_[0], at_most) && ::read(ends_[0], &number, sizeof number) == sizeof number;
    return told ? number : -1;
  }

 private:
  int ends_[2];
};

void check_results(const std::vector<Outcome<int>>& results) {
  REQUIRE(results.size() == last);
  for (int n = 0; n < last; ++n) {
    const auto& outcome = results[static_cast<std::size_t>(n)];
    CHECK(outcome.stats().attempts == 1);
    if (n == deadly)
      CHECK(outcome.ending() == Ending::crashed);
    else
      CHECK(outcome.value() == n);
  }
}

}  // namespace

TEST_CASE("an input that stalls while a worker dies goes on with another", "[inputs]") {
  const NothingLeftBehind check;
  // The last item before the one that is waited for is in a worker's hands when it has said who it is; the other worker
  // has nothing to do, so that the coordinator is in the input, and cannot see that somebody dies.
  Teller who;
  Gate crash;
  bool died = false;
  const auto see_it_die = [&] {
    const long worker = who.wait();
    crash.open();
    died = ends_within(worker, 20s);
  };
  Stalling<decltype(see_it_die)> input{see_it_die};
  const auto work = [&](int n) {
    if (n == deadly) {
      who.tell(::getpid());
      crash.pass();
      misbehave(Way::killed);
    }
    return n;
  };
  std::vector<Outcome<int>> results;
  for (auto& [index, outcome] : process_stream(input, work, {.num_workers = 2})) results.push_back(outcome);
  CHECK(died);
  check_results(results);
}

TEST_CASE("whoever was dealt a task begins it while the input that followed is slow", "[inputs]") {
  const NothingLeftBehind check;
  // A range that may be read again is not known to be slow before it is. What comes first keeps nobody, so that most
  // workers are born while the rest is pulled: each item of it waits for a task to begin until all of the first have,
  // or for a while. Who is not heard of in all that time waits for the range's end.
  constexpr int workers = 4, items = 200;
  Teller begun;
  std::set<long> heard;
  const auto first_of_each = [&] { return std::distance(heard.lower_bound(0), heard.lower_bound(workers)); };
  int slow_ones = 0;
  const auto pull = [&](int n) {
    if (n < workers || first_of_each() == workers) return n;
    ++slow_ones;
    heard.insert(begun.wait(100ms));
    return n;
  };
  const auto work = [&](int n) {
    if (n < workers) begun.tell(n);
    return n;
  };
  const auto results =
      do_process_work(std::views::iota(0, items) | std::views::transform(pull), work, {.num_workers = workers});
  CHECK(first_of_each() == workers);
  CHECK(slow_ones < items / 2);
  for (int n = 0; n < items; ++n) CHECK(results.at(static_cast<std::size_t>(n)).value() == n);
}

namespace {

// Two items, the first too large for a lane; the second comes when somebody has begun with the first.
struct LargeThenWaiting {
  struct Iterator {
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    LargeThenWaiting* input = nullptr;
    std::string operator*() const { return std::string(input->at == 0 ? 20'000 : 3, 'i'); }
    Iterator& operator++() {
      if (++input->at == 1) static_cast<void>(input->begun.wait());
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& i, std::default_sentinel_t) { return i.input->at == 2; }
  };
  Iterator begin() { return {this}; }
  std::default_sentinel_t end() const { return {}; }
  Teller& begun;
  int at = 0;
};

}  // namespace

TEST_CASE("a large item is handed over before an input that may block is asked for the next", "[inputs]") {
  const NothingLeftBehind check;
  Teller begun;
  LargeThenWaiting input{begun};
  const auto work = [&](const std::string& item) {
    if (item.size() > 3) begun.tell(::getpid());
    return item.size();
  };
  const auto outcomes = do_process_work(input, work, {.num_workers = 2});
  REQUIRE(outcomes.size() == 2);
  CHECK(outcomes[0].value() == 20'000);
  CHECK(outcomes[1].value() == 3);
}

// The coordinator is in the input, so that the worker is not admitted to its tasks: it serves, and sleeps.
TEST_CASE("a worker that is killed before it has begun any task costs the one that waits for it nothing", "[inputs]") {
  const NothingLeftBehind check;
  const int items = GENERATE(1, last);
  Teller who;
  SharedRegion region(sizeof(std::atomic<int>));
  auto& workers = *::new (static_cast<void*>(region.bytes().data())) std::atomic<int>{0};
  bool died = false;
  const auto see_it_die = [&] { died = ends_within(who.wait(), 20s); };
  Stalling<decltype(see_it_die)> input{see_it_die, 1, items};
  WorkOptions options{.num_workers = 1};
  options.prefetch = 100;
  int lost = 0;
  options.on_event = [&](const Event& event) { lost += event.kind == EventKind::attempt_lost; };
  options.worker_init = [&] {
    if (workers++ != 0) return;
    who.tell(::getpid());
    std::thread([main = ::getpid()] {
      while (!is_asleep(main)) std::this_thread::yield();
      misbehave(Way::killed);
    }).detach();
  };
  const auto results = do_process_work(
      input, [](int n) { return n; }, options);
  CHECK(died);
  CHECK(lost == 0);
  REQUIRE(results.size() == static_cast<std::size_t>(items));
  for (int n = 0; n < items; ++n) {
    CHECK(results[static_cast<std::size_t>(n)].value() == n);
    CHECK(results[static_cast<std::size_t>(n)].stats().attempts == 1);
  }
}

TEST_CASE("while an input says that it stalls, deaths are told and workers replaced", "[inputs]") {
  const NothingLeftBehind check;
  Announcing input;
  WorkOptions options{.num_workers = 2};
  options.on_event = [&](const Event& event) {
    input.crashed |= event.kind == EventKind::task_finished && event.ending == Ending::crashed;
  };
  const auto results = do_process_work(
      input,
      [](int n) {
        if (n == deadly) misbehave(Way::killed);
        return n;
      },
      options);
  check_results(results);
}

TEST_CASE("an item and a result of 65 MiB among tiny ones", "[inputs]") {
  const NothingLeftBehind check;
  constexpr std::size_t large = 65u << 20;
  auto items = std::views::iota(0, 1000) |
               std::views::transform([](int n) { return std::string(n == 500 ? large : n % 10u, 'i'); });
  WorkOptions options{.num_workers = 2};
  options.max_item_bytes = options.max_result_bytes = 66u << 20;
  std::size_t next = 0;
  for (auto& [index, outcome] : process_stream(
           items, [](const std::string& item) { return item + "o"; }, options)) {
    REQUIRE(index == next++);
    const std::size_t size = index == 500 ? large : index % 10;
    REQUIRE(outcome.value().size() == size + 1);
    CHECK(outcome->back() == 'o');
    CHECK((size == 0 || outcome->front() == 'i'));
  }
  CHECK(next == 1000);
}

namespace {

std::uint64_t memory_kib(const std::string& label) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(label)) return std::stoull(line.substr(label.size()));
  return 0;
}

}  // namespace

TEST_CASE("ten million tiny items in a stream: the coordinator does not grow", "[inputs]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    const std::uint64_t before = memory_kib("VmRSS:");
    std::ofstream("/proc/self/clear_refs") << 5;  // the highest mark is what it is now
    std::uint64_t next = 0, wrong = 0;
    const auto work = [](std::uint64_t n) { return n + 1; };
    for (auto& [index, outcome] :
         process_stream(std::views::iota(std::uint64_t{0}, std::uint64_t{10'000'000}), work, {.num_workers = 2}))
      wrong += index != next++ || !outcome || *outcome != index + 1;
    const std::uint64_t grown = memory_kib("VmHWM:") - before;
    std::printf("ten million items: %llu KiB more at the most\n", static_cast<unsigned long long>(grown));
    std::fflush(stdout);
    complaints.expect(next == 10'000'000 && wrong == 0, "a wrong result");
    complaints.expect(grown < 64u << 10, "it grew by " + std::to_string(grown) + " KiB");
  });
  check_no_complaints(host, 100s);
}
