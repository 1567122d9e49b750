#include "os/program_sandbox.hpp"

#include "os/landlock.hpp"
#include "os/program_filter.hpp"
#include "os/sandbox.hpp"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace bulkhead::os {

namespace {

bool lies_in(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

// Those above others come first, and take them along.
std::vector<std::string> outermost(std::vector<std::string> paths) {
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> kept;
  for (std::string& path : paths)
    if (std::none_of(kept.begin(), kept.end(), [&](const std::string& above) { return lies_in(path, above); }))
      kept.push_back(std::move(path));
  return kept;
}

}  // namespace

ProgramSandbox::ProgramSandbox(std::vector<std::string> writable)
    : writable_(outermost(std::move(writable))), landlock_abi_(landlock_version().abi), filter_(program_filter()) {
  if (landlock_abi_ > 0) ruleset_ = prepare_ruleset(landlock_abi_, writable_);
  for (const std::string& path : writable_) names_.push_back(path.c_str());
}

Refusal ProgramSandbox::guard_files() const noexcept {
  const Refusal refusal = os::guard_files(names_);
  if (!refusal && ruleset_) add_writable_directory(ruleset_, landlock_abi_, "/dev/shm");  // the one that is its own
  return refusal;
}

bool ProgramSandbox::enter() const noexcept {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || (ruleset_ && !enforce(ruleset_))) return false;
  const sock_fprog program{static_cast<unsigned short>(filter_.size()), const_cast<sock_filter*>(filter_.data())};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

std::string lack_of_program_sandbox() {
  const SandboxSupport support = probe_sandbox();
  return support.sufficient() ? std::string() : "Isolation::strict cannot be had here: " + support.lacking.front();
}

// Files are read-only by their mounts too, and other processes are not seen: less is lost than for a worker.
std::vector<std::string> gaps_of_program_sandbox() {
  const int abi = landlock_version().abi;
  std::vector<std::string> gaps;
  if (abi == 0)
    gaps.push_back(
        "this kernel has no Landlock, or has it switched off (lsm=): a program can still write to devices "
        "that its user may write to");
  if (abi < landlock_scopes)
    gaps.push_back(
        "this kernel's Landlock, if any, does not cover abstract sockets (ABI 6, Linux 6.12): a program can "
        "still connect to any of them");
  return gaps;
}

}  // namespace bulkhead::os
