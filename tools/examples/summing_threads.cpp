// The sum of 0 .. 999999 by two threads, each over its half: the SummingThread of the article on threads, queues and
// processes, whose two results are added at the end.
#include <bulkhead/logging.hpp>
#include <bulkhead/work.hpp>

#include <cstdint>
#include <iostream>
#include <utility>
#include <vector>

namespace {

std::int64_t sum_of(std::pair<std::int64_t, std::int64_t> range) {
  std::int64_t total = 0;
  for (std::int64_t i = range.first; i < range.second; ++i) total += i;
  return total;
}

}  // namespace

int main() {
  const std::vector<std::pair<std::int64_t, std::int64_t>> halves{{0, 500'000}, {500'000, 1'000'000}};
  bulkhead::start_logging_with_thread_info();
  std::int64_t result = 0;
  for (const auto& half : bulkhead::do_threaded_work(halves, sum_of)) result += half.value();
  bulkhead::stop_logging_with_thread_info();
  std::cout << result << '\n';
}
