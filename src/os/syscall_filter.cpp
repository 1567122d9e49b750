#include "os/syscall_filter.hpp"

#include "os/fd.hpp"
#include "os/filter_code.hpp"
#include "os/refused_calls.hpp"

#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace bulkhead::os {

using namespace filter;

namespace {

// abort(), raise() and pthread_kill() go by tgkill to a thread of this very process.
void refuse_signals_to_others(Code& code, std::uint32_t self) {
  for (const int call : {SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo})
    for_call(code, call, [&](Code& body) { allow_only(body, 0, {self}); });
  // A descriptor that became ready signals its owner, who need not be the one who set it up; making a terminal's
  // descriptor asynchronous names its whole foreground group the owner.
  for_call(code, SYS_fcntl, [](Code& body) {
    body = {
        load(argument(1)), when(BPF_JEQ, F_SETFL, 4), load(argument(2)), when(BPF_JSET, O_ASYNC), refuse(), allow()};
    refuse_only(body, 1, {F_SETOWN, F_SETOWN_EX, F_SETSIG});
  });
}

void refuse_new_processes(Code& code) {
  for_call(code, SYS_clone, [](Code& body) {
    body = {load(argument(0)), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, CLONE_THREAD | new_namespaces),
            when(BPF_JEQ, CLONE_THREAD), allow(), refuse()};
  });
  // Its flags lie in memory, where no filter can see them; told that there is no such call, the C library uses clone.
  refuse_always(code, SYS_clone3, ENOSYS);
}

void refuse_settings_of_others(Code& code, std::uint32_t self) {
  for (const int call : {SYS_prlimit64, SYS_sched_setaffinity, SYS_sched_setscheduler, SYS_sched_setparam,
                         SYS_sched_setattr, SYS_migrate_pages, SYS_move_pages})
    for_call(code, call, [&](Code& body) { allow_only(body, 0, {0, self}); });
  const auto one_process = [&](int call, std::uint32_t kind_process) {
    for_call(code, call, [&](Code& body) {
      body = {load(argument(0)), unless(BPF_JEQ, kind_process), refuse()};
      allow_only(body, 1, {0, self});
    });
  };
  one_process(SYS_setpriority, PRIO_PROCESS);
  one_process(SYS_ioprio_set, IOPRIO_WHO_PROCESS);
}

void refuse_commands(Code& code) {
  refuse_device_commands(code);
  for_call(code, SYS_prctl, [](Code& body) {
    refuse_only(body, 0, {PR_SET_PDEATHSIG, share_core_cookie});  // a worker ends with its coordinator
  });
}

Code filter_for(std::uint32_t self) {
  Code code;
  check_numbering(code);
  refuse_signals_to_others(code, self);
  refuse_new_processes(code);
  refuse_settings_of_others(code, self);
  refuse_commands(code);
  for (const auto group : refused::to_workers)
    for (const int call : group) refuse_always(code, call);
  code.push_back(allow());
  return code;
}

}  // namespace

int syscall_filter_refusal() noexcept {
  if (native == 0) return ENOSYS;
  // With no filter at all the kernel complains about the address, where it knows what was asked of it.
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, nullptr) == 0) return 0;
  return errno == EFAULT ? 0 : errno;
}

void install_syscall_filter() {
  Code code = filter_for(static_cast<std::uint32_t>(::getpid()));
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    throw_errno("seccomp(SECCOMP_SET_MODE_FILTER)");
}

}  // namespace bulkhead::os
