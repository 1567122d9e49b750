#include "words/run_id.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <random>

namespace bulkhead::tool {

namespace {

// By its name: else the processor is asked first what it can do, and a virtual one takes 25 us to say it.
std::random_device random_source() try { return std::random_device("getentropy"); } catch (const std::exception&) {
  return std::random_device();
}

}  // namespace

std::string make_run_id() {
  std::random_device random = random_source();
  const std::uint64_t bits = (std::uint64_t{random()} << 32 | random()) & 0xffff'ffff'ffff;
  // Not by gmtime(): that reads the local time zone's file, for nothing.
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto midnight = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day day(midnight);
  const std::chrono::hh_mm_ss time(now - midnight);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}-{:012x}", int{day.year()}, unsigned{day.month()},
                     unsigned{day.day()}, time.hours().count(), time.minutes().count(), time.seconds().count(), bits);
}

}  // namespace bulkhead::tool
