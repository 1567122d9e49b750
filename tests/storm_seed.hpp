// The seed of what happens at random in a test: printed, and given again to repeat it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <random>

inline unsigned chosen_seed() {
  const char* given = std::getenv("BULKHEAD_STORM_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
  std::printf("storm seed %u (set BULKHEAD_STORM_SEED to repeat)\n", seed);
  return seed;
}
