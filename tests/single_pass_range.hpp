// Input that can be gone through once only, as generators are.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>

// A single-pass range: 0, 1, 2, ... up to `end`, throwing in the place of item `throws_at`; counts what was asked of
// it.
struct Counter {
  struct Iterator {
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    Counter* counter = nullptr;
    int operator*() const { return counter->at; }
    Iterator& operator++() {
      ++counter->at;
      counter->check();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& i, std::default_sentinel_t) { return i.counter->at == i.counter->last; }
  };
  Iterator begin() {
    check();
    return {this};
  }
  std::default_sentinel_t end() const { return {}; }
  void check() const {
    if (at == throws_at) throw std::runtime_error("no item " + std::to_string(at));
  }
  int last = -1, throws_at = -1, at = 0;
};
// As a generator gives them: each made when it is asked for, and given away.
struct FivePointers {
  struct Iterator {
    using value_type = std::unique_ptr<int>;
    using difference_type = std::ptrdiff_t;
    int n = 0;
    std::unique_ptr<int> operator*() const { return std::make_unique<int>(n); }
    Iterator& operator++() { return ++n, *this; }
    void operator++(int) { ++n; }
    friend bool operator==(const Iterator& i, std::default_sentinel_t) { return i.n == 5; }
  };
  Iterator begin() const { return {}; }
  std::default_sentinel_t end() const { return {}; }
};
static_assert(std::ranges::input_range<Counter> && !std::ranges::forward_range<Counter>);
