#include "words/run_id.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <random>

namespace bulkhead::tool {

std::string make_run_id() {
  std::random_device random;
  const std::uint64_t bits = (std::uint64_t{random()} << 32 | random()) & 0xffff'ffff'ffff;
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y%m%dT%H%M%S}-{:012x}", fmt::gmtime(now), bits);
}

}  // namespace bulkhead::tool
