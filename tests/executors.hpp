// The two executors under the same names, for tests of what they have in common.
#pragma once

#include <bulkhead/work.hpp>

#include <utility>

struct Threads {
  static constexpr bool encodes = false;
  template <class Items, class F>
  static auto work(Items&& items, F&& func, const bulkhead::WorkOptions& options = {}) {
    return bulkhead::do_threaded_work(std::forward<Items>(items), std::forward<F>(func), options);
  }
  template <class Items, class F>
  static auto stream(Items&& items, F&& func, const bulkhead::WorkOptions& options = {}) {
    return bulkhead::threaded_stream(std::forward<Items>(items), std::forward<F>(func), options);
  }
};

struct Processes {
  static constexpr bool encodes = true;
  template <class Items, class F>
  static auto work(Items&& items, F&& func, const bulkhead::WorkOptions& options = {}) {
    return bulkhead::do_process_work(std::forward<Items>(items), std::forward<F>(func), options);
  }
  template <class Items, class F>
  static auto stream(Items&& items, F&& func, const bulkhead::WorkOptions& options = {}) {
    return bulkhead::process_stream(std::forward<Items>(items), std::forward<F>(func), options);
  }
};
