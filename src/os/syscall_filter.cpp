#include "os/syscall_filter.hpp"

#include "os/fd.hpp"
#include "os/refused_calls.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace bulkhead::os {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t native = AUDIT_ARCH_X86_64;
#elif defined(__AARCH64EL__)
constexpr std::uint32_t native = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t native = 0;  // not known here: syscall_filter_refusal() says so
#endif

// Every argument that is looked at is a 32-bit one: the kernel drops the upper half, and so must the comparison, or a
// call with dirt in that half would slip through.
static_assert(native == 0 || std::endian::native == std::endian::little, "the lower half is taken to come first");
constexpr std::uint32_t argument(unsigned index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8 * index);
}

using Code = std::vector<sock_filter>;
using Values = std::initializer_list<std::uint32_t>;

sock_filter answer(std::uint32_t what) { return BPF_STMT(BPF_RET | BPF_K, what); }
sock_filter allow() { return answer(SECCOMP_RET_ALLOW); }
sock_filter refuse(int error = EPERM) { return answer(SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)); }
sock_filter load(std::uint32_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }

// The next `count` instructions are for when the comparison holds; or for when it does not.
sock_filter when(int comparison, std::uint32_t value, std::size_t count = 1) {
  return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | comparison | BPF_K), value, 0, static_cast<std::uint8_t>(count));
}
sock_filter unless(int comparison, std::uint32_t value) {
  return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | comparison | BPF_K), value, 1, 0);
}

// Each of these ends with an answer: an argument has taken the place of the call's number.
void allow_only(Code& code, unsigned index, Values values) {
  code.push_back(load(argument(index)));
  for (const std::uint32_t value : values) code.insert(code.end(), {when(BPF_JEQ, value), allow()});
  code.push_back(refuse());
}
void refuse_only(Code& code, unsigned index, Values values) {
  code.push_back(load(argument(index)));
  for (const std::uint32_t value : values) code.insert(code.end(), {when(BPF_JEQ, value), refuse()});
  code.push_back(allow());
}

template <class Body>
void for_call(Code& code, int number, Body&& body) {
  Code inner;
  body(inner);
  code.push_back(when(BPF_JEQ, static_cast<std::uint32_t>(number), inner.size()));
  code.insert(code.end(), inner.begin(), inner.end());
}

void check_numbering(Code& code) {
  code = {load(offsetof(seccomp_data, arch)), unless(BPF_JEQ, native), answer(SECCOMP_RET_KILL_PROCESS),
          load(offsetof(seccomp_data, nr))};
#if defined(__x86_64__)
  constexpr std::uint32_t x32 = 0x40000000;  // the same architecture to the kernel, with other numbers
  code.insert(code.end(), {when(BPF_JGE, x32), refuse(ENOSYS)});
#endif
}

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
  constexpr std::uint32_t namespaces =
      CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  for_call(code, SYS_clone, [](Code& body) {
    body = {load(argument(0)), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, CLONE_THREAD | namespaces),
            when(BPF_JEQ, CLONE_THREAD), allow(), refuse()};
  });
  // Its flags lie in memory, where no filter can see them; told that there is no such call, the C library uses clone.
  for_call(code, SYS_clone3, [](Code& body) { body = {refuse(ENOSYS)}; });
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
  for_call(code, SYS_ioctl, [](Code& body) {
    refuse_only(body, 1,
                {TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD,                // words put into the terminal's mouth
                 TIOCSPGRP, TIOCSCTTY, FIOASYNC, FIOSETOWN, SIOCSPGRP,  // who gets a descriptor's signals
                 FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR});                  // what files are, apart from their contents
  });
  constexpr std::uint32_t share_core_cookie = 62;  // PR_SCHED_CORE, with a process id
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
  for (const auto group : refused::all)
    for (const int call : group) for_call(code, call, [](Code& body) { body = {refuse()}; });
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
