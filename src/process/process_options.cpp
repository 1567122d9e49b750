#include "process/process_options.hpp"

#include <bulkhead/detail/check_options.hpp>

#include "os/pid_namespace.hpp"
#include "os/sandbox.hpp"

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace bulkhead::process {

namespace {

constexpr std::size_t most_workers = 4096;

void check_isolation(const WorkOptions& options) {
  if (options.isolation != Isolation::strict) {
    if (!options.writable_paths.empty())
      throw std::invalid_argument("bulkhead: WorkOptions::writable_paths: only Isolation::strict guards files");
    if (options.isolation == Isolation::pid) os::require_own_proc();
    return;
  }
  const os::SandboxSupport support = os::probe_sandbox();
  if (!support.sufficient())
    throw std::system_error(ENOSYS, std::generic_category(),
                            "bulkhead: Isolation::strict cannot be had here: " + support.lacking.front());
  for (const std::string& path : options.writable_paths)
    if (!std::filesystem::exists(path))
      throw std::invalid_argument("bulkhead: WorkOptions::writable_paths: " + path + " does not exist");
}

}  // namespace

void check_process_options(const WorkOptions& options) {
  detail::check_common_options(options);
  check_isolation(options);
  if (options.num_workers > most_workers)
    throw std::invalid_argument("bulkhead: WorkOptions::num_workers: " + std::to_string(options.num_workers) +
                                " processes; at most " + std::to_string(most_workers));
}

}  // namespace bulkhead::process
