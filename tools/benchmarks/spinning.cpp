#include "spinning.hpp"

#include "child.hpp"
#include "peer.hpp"

#include <time.h>

#include <algorithm>

namespace bench {
namespace {

double processor_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

}  // namespace

[[gnu::noinline]] std::uint64_t spin(std::uint64_t turns) {
  std::uint64_t x = turns | 1;
  for (std::uint64_t i = 0; i < turns; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    asm volatile("" : "+r"(x));
  }
  return monotonic_ns();
}

double gauge_turn() {
  const auto figures = in_children(workers, [](std::size_t) {
    constexpr std::uint64_t turns = 100'000;
    const double begin = processor_ns();
    double used = 0, rounds = 0;
    for (; used < 50e6; used = processor_ns() - begin, ++rounds) spin(turns);
    return std::vector<double>{used / (rounds * static_cast<double>(turns))};
  });
  double sum = 0;
  for (const auto& figure : figures) sum += figure.front();
  return sum / static_cast<double>(figures.size());
}

Lengths same_lengths(std::size_t tasks, std::uint32_t us) { return Lengths(tasks, us); }

Lengths mixed_lengths(std::size_t tasks) {
  constexpr std::size_t long_ones = 8;
  Lengths lengths(tasks, 100);
  for (std::size_t i = 0; i < long_ones; ++i) lengths[i * tasks * 3 / 4 / long_ones] = 100'000;
  return lengths;
}

}  // namespace bench
