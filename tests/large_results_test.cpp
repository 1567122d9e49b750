// Results that are too large for a worker's ring: they lie in its annex until the coordinator has taken them.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

using namespace bulkhead;

namespace {

// From some that a ring still takes to some that a pipe does not.
constexpr std::size_t size_of(int n) { return std::size_t{2000} << (n % 10); }

std::string made_of(int n) {
  std::string made(size_of(n), static_cast<char>('a' + n % 26));
  std::memcpy(made.data() + made.size() / 2, &n, sizeof n);
  return made;
}

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// Each time that it is serialized it is one letter longer.
struct Growing {
  mutable std::string text = std::string(100'000, 'g');
  template <class Archive>
  void save(Archive& archive) const {
    text += 'g';
    archive(text);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(text);
  }
};

}  // namespace

TEST_CASE("a large result that changes while it is serialized is refused, not sent in part", "[large_results]") {
  const NothingLeftBehind check;
  const auto results = do_process_work(numbers(4), [](int) { return Growing(); }, {.num_workers = 1});
  for (const auto& result : results) {
    CHECK(result.ending() == Ending::not_serializable);
    CHECK(result.error().what.find("another size") != std::string::npos);
  }
}

TEST_CASE("large results that were finished are kept when their worker dies", "[large_results]") {
  const NothingLeftBehind check;
  constexpr int deadly = 7;
  const WorkOptions options{.num_workers = GENERATE(1u, 2u, 4u), .prefetch = GENERATE(0u, 8u, 64u)};
  const auto results = do_process_work(
      numbers(200),
      [](int n) {
        if (n % deadly == 3) ::kill(::getpid(), SIGKILL);
        return made_of(n);
      },
      options);
  for (int n = 0; n < 200; ++n) {
    const Outcome<std::string>& result = results[static_cast<std::size_t>(n)];
    CAPTURE(n);
    CHECK(result.stats().attempts == 1);
    if (n % deadly == 3)
      CHECK(result.error().signal == SIGKILL);
    else
      REQUIRE(result.value() == made_of(n));
  }
}

TEST_CASE("many large results come whole and in order, however quick their workers are", "[large_results]") {
  const NothingLeftBehind check;
  int next = 0;
  for (auto& [index, outcome] : process_stream(numbers(300), made_of, {.num_workers = 2})) {
    REQUIRE(index == static_cast<std::uint64_t>(next));
    REQUIRE(outcome.value() == made_of(next));
    ++next;
  }
  CHECK(next == 300);
}

TEST_CASE("large results beside what tasks print and beside failures come in their order", "[large_results]") {
  const NothingLeftBehind check;
  std::uint64_t printed = 0;
  WorkOptions options{.num_workers = 2, .retry = {.max_retries = 1}};
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::task_output) printed += event.output.size();
  };
  const auto results = do_process_work(
      numbers(60),
      [](int n) {
        const std::vector<std::byte> words(size_of(n) / 3);
        emit_output(1, words);
        if (n % 5 == 4) throw std::runtime_error("no");
        return made_of(n);
      },
      options);
  std::uint64_t expected = 0;
  for (int n = 0; n < 60; ++n) {
    expected += size_of(n) / 3;
    if (n % 5 == 4)
      CHECK(results[static_cast<std::size_t>(n)].ending() == Ending::exception);
    else
      CHECK(results[static_cast<std::size_t>(n)].value() == made_of(n));
  }
  CHECK(printed >= expected);
}
