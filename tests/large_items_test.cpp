// Items that are too large for a lane: how many of them are dealt ahead.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <ranges>
#include <string>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t item_bytes = 64u << 10, items_a_mebibyte = 16;

std::string item_of(char letter) { return std::string(item_bytes, letter); }

}  // namespace

TEST_CASE("few large items are under way, however quick their tasks are", "[large_items]") {
  const NothingLeftBehind check;
  constexpr std::size_t count = 4000;
  const std::string item = item_of('i');
  std::size_t asked_for = 0, ended = 0, most = 0;
  const auto items =
      std::views::iota(std::size_t{0}, count) | std::views::transform([&](std::size_t n) -> const std::string& {
        asked_for = n + 1;
        return item;
      });
  for (auto& [index, outcome] :
       process_stream(items, [](const std::string& i) { return i.back(); }, {.num_workers = 1})) {
    REQUIRE(outcome.value() == item.back());
    most = std::max(most, asked_for - ended++);
  }
  CHECK(ended == count);
  // Those that were dealt, and as many that ended together and are being looked at, and twice as much for good measure.
  CHECK(most <= 4 * items_a_mebibyte);
}

TEST_CASE("as many large items as were asked for are dealt ahead", "[large_items]") {
  const NothingLeftBehind check;
  constexpr std::size_t ahead = 10 * items_a_mebibyte;
  std::array<int, 2> gate{};
  REQUIRE(::pipe(gate.data()) == 0);
  const auto items = std::views::iota(std::size_t{0}, 2 * ahead) | std::views::transform([&](std::size_t n) {
                       if (n == ahead) REQUIRE(::write(gate[1], "x", 1) == 1);
                       return item_of(n == 0 ? 'w' : 'i');
                     });
  // The first task ends when that many were asked for behind it.
  const auto task = [&](const std::string& item) {
    char byte = 0;
    return item.back() != 'w' || ::read(gate[0], &byte, 1) == 1;
  };
  const WorkOptions options{.num_workers = 1, .task_timeout = 30s, .prefetch = ahead};
  for (const auto& outcome : do_process_work(items, task, options)) REQUIRE(outcome.value());
  for (const int end : gate) ::close(end);
}
