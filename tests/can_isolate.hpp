// Whether the kernel grants an isolation here.
#pragma once

#include <bulkhead/work.hpp>

#include "catch.hpp"

#include <system_error>
#include <vector>

/// If not, a warning says why.
inline bool can_isolate(bulkhead::Isolation isolation) {
  try {
    bulkhead::do_process_work(std::vector<int>{1}, [](int n) { return n; }, {.num_workers = 1, .isolation = isolation});
    return true;
  } catch (const std::system_error& error) {
    WARN("skipped: " << error.what());
    return false;
  }
}
