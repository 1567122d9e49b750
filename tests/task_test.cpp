#include "catch.hpp"

#include "records/task.hpp"
#include "records/tasks_out.hpp"

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

using bulkhead::tool::Task;
using bulkhead::tool::TasksOut;

namespace {

std::vector<std::byte> encoded_task(const Task& task) {
  std::vector<std::byte> bytes(task.encode_into({}));
  CHECK(task.encode_into(bytes) == bytes.size());
  return bytes;
}

Task numbered(std::size_t n) { return {.sequence = n, .attempt = 1, .fields = {std::to_string(n)}}; }

}  // namespace

TEST_CASE("a task comes to its worker as it was", "[task]") {
  const Task plain{.sequence = 7, .attempt = 3, .fields = {"a", "", std::string("b\0c", 3)}};
  const Task there = Task::decode_from(encoded_task(plain));
  CHECK(there.sequence == 7);
  CHECK(there.attempt == 3);
  CHECK(there.fields == plain.fields);
  CHECK_FALSE(there.apart);

  Task rich = plain;
  rich.own_extras() = {.environment = {"K=V"}, .input = "in", .id = "name", .problem = "none", .texts = {"stay"}};
  const Task other = Task::decode_from(encoded_task(rich));
  CHECK(other.extras().environment == std::vector<std::string>{"K=V"});
  CHECK(other.extras().input == "in");
  CHECK(other.extras().id == "name");
  CHECK(other.extras().problem == "none");
  CHECK(other.extras().texts.empty());
}

TEST_CASE("a damaged task is refused", "[task]") {
  Task task = numbered(1);
  task.own_extras().input = "in";
  const auto bytes = encoded_task(task);
  const std::size_t plain = encoded_task(numbered(1)).size();
  for (std::size_t length = 0; length < bytes.size(); ++length)
    if (length != plain) REQUIRE_THROWS_AS(Task::decode_from(std::span(bytes).first(length)), std::length_error);
}

TEST_CASE("tasks that are out are found, stragglers too, and the table stays small", "[task]") {
  TasksOut out;
  constexpr std::size_t all = 100'000;
  for (std::size_t i = 0; i < all; ++i) {
    REQUIRE(out.put(i, numbered(i)).sequence == i);
    if (i >= 10 && (i - 10) % 1000 != 0) REQUIRE(out.take(i - 10).fields.front() == std::to_string(i - 10));
  }
  CHECK(out.size() == 10 + 100);
  for (std::size_t i = 0; i < all - 10; i += 1000) {
    REQUIRE(out.at(i).sequence == i);
    REQUIRE(out.take(i).sequence == i);
    REQUIRE_THROWS_AS(out.take(i), std::out_of_range);
    REQUIRE_THROWS_AS(out.at(i), std::out_of_range);
  }
  CHECK(out.size() == 10);
}
