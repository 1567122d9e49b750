// The sum of 0 .. 999999 by two threads, each over its half: the SummingThread of the article on threads, queues and
// processes, whose two results are added at the end.
#include "summing.hpp"

#include <bulkhead/logging.hpp>
#include <bulkhead/work.hpp>

#include <iostream>

int main() {
  bulkhead::start_logging_with_thread_info();
  std::int64_t result = 0;
  for (const auto& half : bulkhead::do_threaded_work(halves, sum_of, {.num_workers = 2})) result += half.value();
  bulkhead::stop_logging_with_thread_info();
  std::cout << result << '\n';
}
