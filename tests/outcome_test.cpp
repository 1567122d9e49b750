#include "catch.hpp"

#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/event.hpp>
#include <bulkhead/outcome.hpp>
#include <bulkhead/work.hpp>

#include "os/signal_name.hpp"

#include <csignal>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

Failure failure(Ending ending) {
  Failure made;
  made.ending = ending;
  return made;
}

template <class Thrown>
Failure failure_of_exception(Thrown thrown) {
  try {
    throw thrown;
  } catch (...) {
    return detail::failure_from_current_exception();
  }
}

}  // namespace

TEST_CASE("every ending and event has a name of its own", "[outcome]") {
  std::set<std::string_view> names;
  for (int e = 0; e <= static_cast<int>(Ending::not_serializable); ++e) names.insert(to_string(static_cast<Ending>(e)));
  CHECK(names.size() == 12);
  CHECK(names.count("unknown") == 0);
  CHECK(to_string(Ending::timed_out) == "timed_out");
  CHECK(to_string(static_cast<Ending>(200)) == "unknown");
  std::set<std::string_view> kinds;
  for (int k = 0; k <= static_cast<int>(EventKind::run_finished); ++k)
    kinds.insert(to_string(static_cast<EventKind>(k)));
  CHECK(kinds.size() == 16);
  CHECK(kinds.count("unknown") == 0);
  CHECK(to_string(EventKind::attempt_lost) == "attempt_lost");
}

TEST_CASE("failures describe themselves", "[outcome]") {
  Failure crash = failure(Ending::crashed);
  crash.signal = SIGSEGV;
  CHECK(crash.describe() == "crashed by SIGSEGV");
  Failure left = failure(Ending::exited);
  left.exit_code = 0;
  CHECK(left.describe() == "exited with code 0 in the middle of the task");
  Failure late = failure(Ending::timed_out);
  CHECK(late.describe() == "timed out");
  late.what = "task_timeout of 5 s";
  CHECK(late.describe() == "timed out: task_timeout of 5 s");
  Failure thrown = failure(Ending::exception);
  thrown.type = "std::runtime_error";
  thrown.what = "no such row";
  CHECK(thrown.describe() == "std::runtime_error: no such row");
  for (int e = 0; e <= static_cast<int>(Ending::not_serializable); ++e)
    CHECK_FALSE(failure(static_cast<Ending>(e)).describe().empty());
}

TEST_CASE("signals have their usual names", "[outcome]") {
  CHECK(os::signal_name(SIGKILL) == "SIGKILL");
  CHECK(os::signal_name(SIGRTMIN) == "SIGRTMIN");
  CHECK(os::signal_name(SIGRTMIN + 2) == "SIGRTMIN+2");
  CHECK(os::signal_name(4000) == "signal 4000");
}

TEST_CASE("exceptions become failures with type and words", "[outcome]") {
  const Failure usual = failure_of_exception(std::out_of_range("row 7"));
  CHECK(usual.ending == Ending::exception);
  CHECK(usual.type == "std::out_of_range");
  CHECK(usual.what == "row 7");
  CHECK(failure_of_exception(42).type == "int");
  CHECK(failure_of_exception(std::string("words")).what == "words");
  CHECK(failure_of_exception(static_cast<const char*>("more words")).what == "more words");
  try {
    try {
      throw std::runtime_error("disk full");
    } catch (...) {
      std::throw_with_nested(std::runtime_error("cannot save"));
    }
  } catch (...) {
    CHECK(detail::failure_from_current_exception().what == "cannot save; because of disk full");
    CHECK(detail::failure_from_current_exception(Ending::out_of_memory).ending == Ending::out_of_memory);
  }
}

TEST_CASE("an outcome holds a value or a failure, and says which", "[outcome]") {
  const Outcome<std::string> good(std::string("text"), {.attempts = 2, .worker = 3});
  CHECK(good);
  CHECK(good.value() == "text");
  CHECK(good->size() == 4);
  CHECK(good.ending() == Ending::value);
  CHECK(good.stats().attempts == 2);
  CHECK(good.stats().worker == 3);
  CHECK_THROWS_AS(good.error(), std::logic_error);

  const Outcome<std::string> bad(failure(Ending::timed_out));
  CHECK_FALSE(bad);
  CHECK(bad.error().ending == Ending::timed_out);
  CHECK_THROWS_AS(bad.value(), WorkError);
  const Outcome<std::string> copy = bad;
  CHECK(copy.ending() == Ending::timed_out);

  const Outcome<int> undecided;
  CHECK(undecided.ending() == Ending::abandoned);
  CHECK(undecided.error().ending == Ending::abandoned);
}

TEST_CASE("outcomes move and are assigned across kinds", "[outcome]") {
  Outcome<std::unique_ptr<int>> outcome(std::make_unique<int>(1));
  Outcome<std::unique_ptr<int>> moved = std::move(outcome);
  CHECK(*moved.value() == 1);
  moved = Outcome<std::unique_ptr<int>>(failure(Ending::crashed));
  CHECK(moved.ending() == Ending::crashed);
  moved = Outcome<std::unique_ptr<int>>(std::make_unique<int>(2));
  CHECK(*std::move(moved).value() == 2);
}

TEST_CASE("a size is kept to half a thousandth", "[outcome]") {
  using bulkhead::detail::RoundedKib;
  constexpr std::uint64_t kib = 1024;
  CHECK(RoundedKib().bytes() == 0);
  for (std::uint64_t exact = 0; exact <= 2047; exact += 89) CHECK(RoundedKib(exact * kib).bytes() == exact * kib);
  for (std::uint64_t size = 2047 * kib; size < std::uint64_t{1} << 50; size += size / 7 + 1) {
    const std::uint64_t kept = RoundedKib(size).bytes();
    CAPTURE(size, kept);
    CHECK((kept > size ? kept - size : size - kept) <= size / 2000 + kib);
    CHECK(RoundedKib(kept).bytes() == kept);
  }
  CHECK(RoundedKib(4095 * kib).bytes() == 4096 * kib);  // one more bit after rounding
  const std::uint64_t largest = std::uint64_t{2047} << 31 << 10;
  CHECK(RoundedKib(~std::uint64_t{0}).bytes() == largest);
}

TEST_CASE("an outcome of nothing", "[outcome]") {
  const Outcome<void> good{TaskStats{.attempts = 1}};
  CHECK(good.has_value());
  good.value();
  *good;
  const Outcome<void> bad(failure(Ending::exited));
  CHECK_THROWS_AS(bad.value(), WorkError);
}

TEST_CASE("an outcome keeps what it was told in 24 bytes", "[outcome]") {
  STATIC_REQUIRE(sizeof(Outcome<long>) <= 24);
  STATIC_REQUIRE(sizeof(Outcome<void>) <= 24);
  const auto results =
      do_process_work(std::vector<int>{0, 1},
                      [](int n) {
                        std::this_thread::sleep_for(20ms);  // something to measure, not a way to wait for anything
                        return n;
                      },
                      {.num_workers = 1});
  CHECK(results[0].stats().ran >= 20ms);
  CHECK(results[0].stats().peak_rss > 0);
  CHECK(results[1].stats().worker == 0);
}
