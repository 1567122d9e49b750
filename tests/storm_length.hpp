// How long something happens at random in a test: as long as the test says, or as the environment does.
#pragma once

#include <chrono>
#include <cstdlib>

inline std::chrono::milliseconds storm_length(std::chrono::seconds usual) {
  const char* given = std::getenv("BULKHEAD_STORM_SECONDS");
  return given ? std::chrono::seconds(std::strtol(given, nullptr, 10)) : usual;
}
