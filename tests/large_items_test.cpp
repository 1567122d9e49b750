// Items that are too large for a lane: how many of them are dealt ahead.
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <string>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t item_bytes = 64u << 10, items_a_mebibyte = 16;

std::string item_of(char letter) { return std::string(item_bytes, letter); }

}  // namespace

TEST_CASE("large items are dealt by the mebibyte, however quick their tasks are", "[large_items]") {
  const NothingLeftBehind check;
  constexpr std::size_t count = 2000;
  std::uint64_t largest_batch = 0;
  WorkOptions options{.num_workers = 1};
  options.on_event = [&](const Event& event) {
    if (event.statistics) largest_batch = event.statistics->largest_batch;
  };
  const std::string item = item_of('i');
  const auto items = std::views::iota(std::size_t{0}, count) |
                     std::views::transform([&](std::size_t) -> const std::string& { return item; });
  for (const auto& outcome : do_process_work(
           items, [](const std::string& i) { return i.back(); }, options))
    REQUIRE(outcome.value() == item.back());
  CHECK(largest_batch > 0);
  CHECK(largest_batch <= items_a_mebibyte);
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
