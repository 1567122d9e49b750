// The sum of 0 .. 999999 by two processes, each over its half; summing_threads.cpp is the same with threads.
#include "summing.hpp"

#include <bulkhead/logging.hpp>
#include <bulkhead/work.hpp>

#include <iostream>

int main() {
  bulkhead::start_logging_with_process_info();
  std::int64_t result = 0;
  for (const auto& half : bulkhead::do_process_work(halves, sum_of, {.num_workers = 2})) result += half.value();
  bulkhead::stop_logging_with_process_info();
  std::cout << result << '\n';
}
