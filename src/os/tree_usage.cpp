#include "os/tree_usage.hpp"

#include "os/small_file.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

namespace bulkhead::os {

namespace {

// Takes a field off the front; 0 where it is no number.
std::uint64_t take_field(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(std::min(text.find(' '), text.size()));
  return number;
}

std::string path_of(int process, const char* file) { return "/proc/" + std::to_string(process) + "/" + file; }

// The fields of "stat" from the state on: the name before it is in parentheses and may hold anything.
std::string state_and_more(int process) {
  const std::string stat = read_small_file(path_of(process, "stat"));
  const std::size_t name_end = stat.rfind(')');
  return name_end == std::string::npos ? std::string() : stat.substr(std::min(name_end + 2, stat.size()));
}

void add_memory(int process, TreeUsage& usage) {
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::string statm = read_small_file(path_of(process, "statm"));
  std::string_view rest = statm;
  take_field(rest);  // of address space
  const std::uint64_t resident = take_field(rest), shared = take_field(rest);
  usage.private_memory += (resident - std::min(shared, resident)) * page;
  usage.shared_memory += shared * page;
}

void add_cpu_time(int process, TreeUsage& usage) {
  static const auto ticks_a_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const std::string stat = state_and_more(process);
  std::string_view rest = stat;
  for (int i = 0; i < 11; ++i) take_field(rest);  // up to the faults of pages
  std::uint64_t ticks = 0;
  for (int i = 0; i < 4; ++i) ticks += take_field(rest);  // user and system, then those of its children
  usage.cpu_time += std::chrono::nanoseconds(ticks * (1'000'000'000 / ticks_a_second));
}

}  // namespace

TreeUsage usage_of(std::span<const int> processes) {
  TreeUsage usage;
  for (const int process : processes) {
    add_memory(process, usage);
    add_cpu_time(process, usage);
  }
  return usage;
}

// With p pages of its own, f of files, and at least p + f / 16 faults: p <= (16 faults - (p + f)) / 15.
std::uint64_t private_part_of(std::uint64_t peak, std::uint64_t faults) noexcept {
  constexpr std::uint64_t around = 16;  // the kernel's fault_around_bytes are 64 KiB
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t pages = peak / page;
  const std::uint64_t most = around * faults > pages ? (around * faults - pages) / (around - 1) : 0;
  return std::min(peak, most * page);
}

bool any_lives(std::span<const int> processes) {
  return std::any_of(processes.begin(), processes.end(), [](int process) {
    const std::string state = state_and_more(process);
    return !state.empty() && state.front() != 'Z' && state.front() != 'X';
  });
}

std::uint64_t own_peak_memory() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) << 10;
}

}  // namespace bulkhead::os
