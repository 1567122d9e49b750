// Where the time went: what is counted of a run adds up, and the program says it.
#include <bulkhead/process_pool.hpp>
#include <bulkhead/work.hpp>

#include "executors.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "outside.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <numeric>
#include <optional>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

std::vector<std::uint64_t> eight_byte_numbers(std::uint64_t n) {
  std::vector<std::uint64_t> numbers(n);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// Options whose listener keeps what the last event of a run says.
WorkOptions telling(std::optional<WorkStatistics>& told, WorkOptions options) {
  options.on_event = [&told](const Event& event) {
    REQUIRE((event.statistics != nullptr) == (event.kind == EventKind::run_finished));
    if (event.statistics) told = *event.statistics;
  };
  return options;
}

void check_sums(const WorkStatistics& seen) {
  CHECK(seen.dealt == seen.tasks + seen.retried + seen.taken_back);
  CHECK(seen.batches <= seen.dealt);
  CHECK(seen.largest_batch <= seen.dealt);
  CHECK(seen.mean_batch() <= static_cast<double>(seen.largest_batch));
  CHECK((seen.batches == 0) == (seen.dealt == 0));
  CHECK(seen.workers_ended == seen.workers_started);
  CHECK(seen.wall_time > 0ns);
  CHECK(seen.coordinator_cpu_time > 0ns);
  CHECK(seen.coordinator_cpu_time <= seen.wall_time + 20ms);  // two clocks
}

std::uint64_t burn(std::uint64_t n) {
  volatile std::uint64_t x = n;
  for (int i = 0; i < 2000; ++i) x = x * 3 + 1;
  return x;
}

class Pipe {
 public:
  Pipe() { REQUIRE(::pipe(ends_.data()) == 0); }
  ~Pipe() {
    for (const int end : ends_) ::close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void put() const { REQUIRE(::write(ends_[1], "x", 1) == 1); }
  void wait() const {
    char byte = 0;
    if (::read(ends_[0], &byte, 1) != 1) ::_exit(1);
  }

 private:
  std::array<int, 2> ends_{};
};

}  // namespace

TEMPLATE_TEST_CASE("the numbers of a run add up", "[statistics]", Threads, Processes) {
  const NothingLeftBehind check;
  std::optional<WorkStatistics> told;
  const std::uint64_t count = GENERATE(0, 1, 5000);
  TestType::work(eight_byte_numbers(count), burn, telling(told, {.num_workers = 2}));
  REQUIRE(told);
  check_sums(*told);
  CHECK(told->tasks == count);
  CHECK(told->retried == 0);
  CHECK((told->workers_started > 0) == (count > 0));
  CHECK((told->workers_cpu_time > 0ns) == (count > 0));
  if (count > 0) CHECK(told->coordinator_wakeups > 0);
  CHECK(told->result_bytes == (TestType::encodes ? 8 * count : 0));
  CHECK(told->item_bytes == (TestType::encodes ? 8 * told->dealt : 0));
}

TEMPLATE_TEST_CASE("attempts that are made again are dealt again", "[statistics]", Threads, Processes) {
  const NothingLeftBehind check;
  std::optional<WorkStatistics> told;
  const auto fail = [](std::uint64_t n) {
    if (n % 4 == 0) throw std::runtime_error("no");
    return n;
  };
  TestType::work(eight_byte_numbers(20), fail, telling(told, {.num_workers = 2, .retry = {.max_retries = 2}}));
  REQUIRE(told);
  check_sums(*told);
  CHECK(told->tasks == 20);
  CHECK(told->retried == 10);
}

TEMPLATE_TEST_CASE("what tasks say is counted as it is heard", "[statistics]", Threads, Processes) {
  const NothingLeftBehind check;
  std::optional<WorkStatistics> told;
  const auto say = [](std::uint64_t n) {
    emit_output(1, std::as_bytes(std::span("12345", 5)));
    return n;
  };
  TestType::work(eight_byte_numbers(30), say, telling(told, {.num_workers = 2}));
  REQUIRE(told);
  check_sums(*told);
  CHECK(told->output_bytes == 150);
}

TEMPLATE_TEST_CASE("a stream can be asked at any time", "[statistics]", Threads, Processes) {
  const NothingLeftBehind check;
  auto stream = TestType::stream(eight_byte_numbers(3000), burn, {.num_workers = 2});
  std::uint64_t taken = 0;
  for (auto&& result : stream) {
    REQUIRE(result.outcome.has_value());
    const WorkStatistics so_far = stream.statistics();
    REQUIRE(so_far.tasks > taken);
    REQUIRE(so_far.dealt > taken);
    ++taken;
  }
  const WorkStatistics whole = stream.statistics();
  check_sums(whole);
  CHECK(whole.tasks == 3000);
  CHECK(stream.statistics().wall_time == whole.wall_time);
}

TEST_CASE("what lay behind a task that crashed was taken back", "[statistics]") {
  const NothingLeftBehind check;
  const Pipe behind;
  std::optional<WorkStatistics> told;
  const auto items = std::views::iota(0, 9) | std::views::transform([&](int n) {
                       if (n == 6) behind.put();  // those from 1 to 5 have been dealt
                       return n;
                     });
  const auto crash_first = [&](int n) {
    if (n == 0) {
      behind.wait();
      crash_by(SIGSEGV);
    }
    return n;
  };
  const auto results = do_process_work(items, crash_first, telling(told, {.num_workers = 1, .prefetch = 8}));
  CHECK(results[0].ending() == Ending::crashed);
  REQUIRE(told);
  check_sums(*told);
  CHECK(told->tasks == 9);
  CHECK(told->taken_back >= 5);
  CHECK(told->item_bytes == sizeof(int) * told->dealt);
  CHECK(told->result_bytes == sizeof(int) * 8);
  CHECK(told->workers_started == 2);
}

TEST_CASE("an item that cannot be dealt is counted as a task and as nothing dealt", "[statistics]") {
  const NothingLeftBehind check;
  std::optional<WorkStatistics> told;
  const std::vector<std::string> items{"fits", std::string(5000, 'x')};
  do_process_work(
      items, [](const std::string& text) { return text.size(); },
      telling(told, {.num_workers = 1, .max_item_bytes = 1000}));
  REQUIRE(told);
  CHECK(told->tasks == 2);
  CHECK(told->dealt == 1);
}

TEST_CASE("a pool is asked by anyone, and its results are counted before they are there", "[statistics]") {
  const NothingLeftBehind check;
  ProcessPool<int(int)> pool([](int n) { return n + 1; }, {.num_workers = 2});
  CHECK(pool.statistics().dealt == 0);
  for (std::uint64_t done = 1; done <= 20; ++done) {
    REQUIRE(pool.submit(1).get().has_value());
    const WorkStatistics so_far = pool.statistics();
    REQUIRE(so_far.tasks == done);
    REQUIRE(so_far.dealt >= done);
    REQUIRE(so_far.wall_time > 0ns);
  }
  CHECK(pool.statistics().coordinator_cpu_time > 0ns);
  pool.join();
  const WorkStatistics whole = pool.statistics();
  check_sums(whole);
  CHECK(whole.tasks == 20);
  CHECK(whole.result_bytes == 20 * sizeof(int));
  CHECK(pool.statistics().wall_time == whole.wall_time);
}

// Outside.

namespace {

using namespace outside;

// The numbers behind the word that a line begins with.
std::vector<double> numbers_of(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  " + name + " ")) continue;
    for (char& c : line)
      if ((c < '0' || c > '9') && c != '.') c = ' ';
    std::istringstream words(line);
    std::vector<double> numbers;
    for (double number = 0; words >> number;) numbers.push_back(number);
    return numbers;
  }
  return {};
}

}  // namespace

TEST_CASE("option --stats says at the end where the time went", "[statistics]") {
  const auto words = GENERATE(Words{"run", "-k", "-j2", "--stats", "echo", ":::", "1", "2", "3"},
                              Words{"call", "-k", "-j2", "--stats", BULKHEAD_SQUARE_PLUGIN, ":::", "1", "2", "3"},
                              Words{"coprocess", "-k", "-j2", "--stats", "cat", ":::", "1", "2", "3"});
  const Result r = invoke(words);
  CHECK(r.status == 0);
  CHECK(std::count(r.output.begin(), r.output.end(), '\n') == 3);
  const std::size_t summary = r.error.find("3 ok"), block = r.error.find("where the time went\n");
  REQUIRE(summary < block);
  REQUIRE(block != std::string::npos);
  const auto dealt = numbers_of(r.error, "dealt");
  const auto taken_back = numbers_of(r.error, "taken back");
  const auto batches = numbers_of(r.error, "batches");
  REQUIRE(dealt.size() == 2);
  REQUIRE(taken_back.size() == 1);
  REQUIRE(batches.size() == 3);
  CHECK(dealt[0] == 3 + taken_back[0]);
  CHECK(batches[0] >= 1);
  CHECK(batches[2] <= dealt[0]);
  CHECK(numbers_of(r.error, "wake-ups").size() == 2);
  const auto bytes = numbers_of(r.error, "bytes");
  REQUIRE(bytes.size() == 2);
  CHECK(bytes[0] > 3);
  CHECK(bytes[1] > 3);
  CHECK(numbers_of(r.error, "coordinator CPU").size() == 2);
  CHECK(numbers_of(r.error, "tasks' CPU").size() == 2);
}

TEST_CASE("option --stats is asked for, quiet or not", "[statistics]") {
  const Result quiet = run({"-q", "--stats", "true", ":::", "1"});
  CHECK(quiet.error.starts_with("bulkhead: where the time went\n"));
  CHECK(run({"-q", "true", ":::", "1"}).error.empty());
  CHECK_FALSE(contains(run({"true", ":::", "1"}).error, "where the time went"));
}

TEST_CASE("no worker is started for a task that does not come", "[statistics]") {
  for (const Result& one :
       {run({"-q", "-j4", "--stats", "true", ":::", "1"}), sh(R"(printf '1\n' | "$0" run -q -j4 --stats true)"),
        sh(R"(printf 1 | "$0" coprocess -q -j4 --stats cat)")})
    CHECK(numbers_of(one.error, "dealt") == std::vector<double>{1, 1});
}

TEST_CASE("option --stats tells of a run that ends early", "[statistics]") {
  const Result halted = run({"-q", "-j1", "--stats", "--fail-fast", "false", ":::", "1", "2", "3"});
  CHECK(halted.status == 3);
  CHECK(numbers_of(halted.error, "dealt").at(0) == 1);
  const Result none = run({"-q", "-r", "--stats", "true", ":::", ""});
  CHECK(none.status == 0);
  CHECK(numbers_of(none.error, "dealt").at(0) == 0);
}

TEST_CASE("option --stats has nothing to tell of a run that is not made", "[statistics]") {
  const Result r = run({"--stats", "--dry-run", "true", ":::", "1"});
  CHECK(r.status == 2);
  CHECK(contains(r.error, "--stats"));
}

TEST_CASE("option --events ends with where the time went", "[statistics]") {
  const Directory directory;
  REQUIRE(run({"-q", "-j2", "--events", directory / "events", "echo", ":::", "1", "2", "3", "4"}).status == 0);
  std::istringstream lines(directory.read("events"));
  nlohmann::json last;
  for (std::string line; std::getline(lines, line);) last = nlohmann::json::parse(line);
  REQUIRE(last.at("event") == "run_finished");
  const auto& statistics = last.at("statistics");
  CHECK(statistics.at("dealt").get<int>() == 4 + statistics.at("taken_back").get<int>());
  CHECK(statistics.at("batches").get<int>() >= 1);
  CHECK(statistics.at("workers_started").get<int>() == statistics.at("workers_ended").get<int>());
  CHECK(statistics.at("coordinator_cpu").get<double>() > 0);
  CHECK(statistics.at("workers_cpu").get<double>() > 0);
  CHECK(statistics.at("wall").get<double>() <= last.at("wall").get<double>());
  for (const char* name :
       {"largest_batch", "coordinator_wakeups", "worker_wakeups", "item_bytes", "result_bytes", "output_bytes"})
    CHECK(statistics.contains(name));
}
