#include <bulkhead/detail/check_options.hpp>

#include "cgroup_quota.hpp"
#include "os/cores.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <thread>

namespace bulkhead {
namespace detail {
namespace {

constexpr std::uint64_t most_bytes = std::uint64_t{2} << 30;  // a frame's length must fit 32 bits with room to spare

constexpr unsigned most_attempts = 0xffff;  // a frame counts them in 16 bits

[[noreturn]] void refuse(const char* field, const std::string& why) {
  throw std::invalid_argument(std::string("WorkOptions::") + field + ": " + why);
}

void check_duration(const char* field, std::chrono::milliseconds duration) {
  if (duration.count() < 0) refuse(field, "negative (" + std::to_string(duration.count()) + " ms)");
}

void check_size(const char* field, std::uint64_t bytes) {
  if (bytes == 0) refuse(field, "0 leaves no room for anything; give 1 byte or more");
  if (bytes > most_bytes) refuse(field, "above 2 GiB (" + std::to_string(bytes) + " bytes)");
}

void refuse_in_threads(bool asked_for, const char* field, const char* why) {
  if (asked_for) refuse(field, std::string(why) + "; use do_process_work");
}

}  // namespace

void check_common_options(const WorkOptions& options) {
  if (options.per_sync_timeout.count() <= 0) refuse("per_sync_timeout", "a wait must last longer than 0");
  check_duration("task_timeout", options.task_timeout);
  check_duration("kill_grace", options.kill_grace);
  check_duration("init_timeout", options.init_timeout);
  check_duration("cpu_time", options.cpu_time);
  check_duration("retry.delay", options.retry.delay);
  check_duration("retry.max_delay", options.retry.max_delay);
  check_duration("respawn.period", options.respawn.period);
  if (options.retry.max_delay.count() > 0 && options.retry.max_delay < options.retry.delay)
    refuse("retry.max_delay", "shorter than retry.delay");
  if (options.retry.max_retries >= most_attempts)
    refuse("retry.max_retries", "at most " + std::to_string(most_attempts - 1));
  check_size("max_item_bytes", options.max_item_bytes);
  check_size("max_result_bytes", options.max_result_bytes);
}

void check_thread_options(const WorkOptions& options) {
  check_common_options(options);
  const WorkOptions untouched;
  constexpr const char* no_end = "threads cannot be ended";
  constexpr const char* no_limit = "threads share the limits of their process";
  constexpr const char* no_bytes = "threads hand items and results over as they are, not encoded";
  refuse_in_threads(options.task_timeout.count() != 0, "task_timeout", no_end);
  refuse_in_threads(options.init_timeout.count() != 0, "init_timeout", no_end);
  refuse_in_threads(options.drain.stop_possible(), "drain", "threads know stop alone");
  refuse_in_threads(options.stderr_tail != 0, "stderr_tail", "threads share one standard error");
  refuse_in_threads(options.memory_limit != 0, "memory_limit", no_limit);
  refuse_in_threads(options.cpu_time.count() != 0, "cpu_time", no_limit);
  refuse_in_threads(options.file_size != 0, "file_size", no_limit);
  refuse_in_threads(options.open_files != 0, "open_files", no_limit);
  refuse_in_threads(options.isolation != Isolation::contained, "isolation", "threads share one address space");
  refuse_in_threads(!options.writable_paths.empty(), "writable_paths", "threads share one address space");
  refuse_in_threads(options.max_tasks_per_worker != 0, "max_tasks_per_worker", "a fresh thread would be no cleaner");
  refuse_in_threads(options.max_item_bytes != untouched.max_item_bytes, "max_item_bytes", no_bytes);
  refuse_in_threads(options.max_result_bytes != untouched.max_result_bytes, "max_result_bytes", no_bytes);
}

}  // namespace detail

std::size_t usable_cores() noexcept {
  std::size_t cores = os::affinity_cores();
  if (cores == 0) cores = std::max(1u, std::thread::hardware_concurrency());
  try {
    if (const auto quota = detail::quota_cores("/proc/self/cgroup", "/sys/fs/cgroup")) cores = std::min(cores, *quota);
  } catch (...) {  // out of memory while reading: the affinity still holds
  }
  return cores;
}

}  // namespace bulkhead
