#include "os/sandbox.hpp"

#include "os/fd.hpp"
#include "os/landlock.hpp"
#include "os/syscall_filter.hpp"

#include <sys/prctl.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace bulkhead::os {

namespace {

std::string words_of(int error) { return std::generic_category().message(error); }

std::string lack_of_filter(int error) {
  std::string why = error == ENOSYS || error == EINVAL
                        ? "this kernel has no seccomp filters for this processor (CONFIG_SECCOMP_FILTER)"
                        : "seccomp filters are refused here, by a container's own filter perhaps";
  return why + ": " + words_of(error) + "; without them a worker can signal and stop other processes";
}

std::string lack_of_landlock(int error) {
  std::string why = "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK)";
  if (error == EOPNOTSUPP) why = "this kernel has Landlock switched off (not in its lsm= list)";
  if (error == EPERM) why = "Landlock is refused here, by a container's own filter perhaps";
  return why + ": " + words_of(error) +
         "; without it a worker can write any file of its user, and other processes' memory by /proc/<pid>/mem";
}

// Landlock grew: what an early version leaves open is said, however small.
void add_gaps(int abi, std::vector<std::string>& lacking) {
  const std::string version = "Landlock ABI " + std::to_string(abi) + " of this kernel does not cover ";
  if (abi < landlock_truncation)
    lacking.push_back(version + "truncation (ABI 3, Linux 6.2): a worker can still cut any file of its user short");
  if (abi < landlock_device_commands)
    lacking.push_back(version +
                      "commands to devices (ABI 5, Linux 6.10): a worker can still give them to those that "
                      "it may open for reading");
  if (abi < landlock_scopes)
    lacking.push_back(version + "abstract sockets (ABI 6, Linux 6.12): a worker can still connect to any of them");
}

}  // namespace

SandboxSupport probe_sandbox() {
  SandboxSupport support;
  support.no_new_privs = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0;
  if (!support.no_new_privs)
    support.lacking.push_back("this kernel has no no_new_privs: " + words_of(errno) +
                              "; without it no process may sandbox itself");
  const int refusal = syscall_filter_refusal();
  support.syscall_filter = refusal == 0;
  if (refusal != 0) support.lacking.push_back(lack_of_filter(refusal));
  const LandlockVersion landlock = landlock_version();
  support.landlock_abi = landlock.abi;
  if (landlock.abi == 0)
    support.lacking.push_back(lack_of_landlock(landlock.error));
  else
    add_gaps(landlock.abi, support.lacking);
  return support;
}

SandboxReport enter_sandbox(const SandboxRules& rules) {
  SandboxSupport support = probe_sandbox();
  const int abi = support.landlock_abi;
  if (!support.sufficient()) throw std::system_error(ENOTSUP, std::generic_category(), support.lacking.front());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw_errno("prctl(PR_SET_NO_NEW_PRIVS)");
  if (abi > 0) restrict_writing(abi, rules.writable);
  install_syscall_filter();
  return {.landlock_abi = abi,
          .files_guarded = abi > 0,
          .memory_guarded = abi > 0,
          .truncation_guarded = abi >= landlock_truncation,
          .abstract_sockets_guarded = abi >= landlock_scopes,
          .not_granted = std::move(support.lacking)};
}

}  // namespace bulkhead::os
