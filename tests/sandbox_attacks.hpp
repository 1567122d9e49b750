// What a worker that turned against the others would try on one of them. Each attempt is a plain function: 0 where it
// succeeded, or the errno of its refusal.
//
// The targets are processes made for it, and the signals are ones that a process does not notice (SIGURG), so that the
// same attempts can be made without a sandbox, to show that it is the sandbox that stops them.
#pragma once

#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>

namespace sandbox_attacks {

inline volatile int precious = 42;  // at the same address in every process that was forked from the test

inline int error_of(long result) { return result < 0 ? errno : 0; }

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

inline int write_by_call(pid_t target) {
  int scribble = 13;
  const iovec from{&scribble, sizeof scribble}, to{const_cast<int*>(&precious), sizeof precious};
  return error_of(::process_vm_writev(target, &from, 1, &to, 1, 0));
}

inline int write_by_file(pid_t target) {
  const Descriptor memory{::open(("/proc/" + std::to_string(target) + "/mem").c_str(), O_RDWR)};
  if (memory.number < 0) return errno;
  const int scribble = 13;
  return error_of(::pwrite(memory.number, &scribble, sizeof scribble, reinterpret_cast<std::intptr_t>(&precious)));
}

inline int read_by_file(pid_t target) {
  const Descriptor memory{::open(("/proc/" + std::to_string(target) + "/mem").c_str(), O_RDONLY)};
  return error_of(memory.number);
}

inline int signal_by_directory(pid_t target) {  // a directory of /proc serves as a pidfd
  const Descriptor process{::open(("/proc/" + std::to_string(target)).c_str(), O_RDONLY | O_DIRECTORY)};
  if (process.number < 0) return 0;
  return error_of(::syscall(SYS_pidfd_send_signal, process.number, SIGURG, nullptr, 0));
}

inline int queue_signal(pid_t target) {
  siginfo_t info{};
  info.si_signo = SIGURG;
  info.si_code = SI_QUEUE;
  return error_of(::syscall(SYS_rt_sigqueueinfo, target, SIGURG, &info));
}

inline int lower_limit(pid_t target) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur -= 1;
  return error_of(::prlimit(target, RLIMIT_NOFILE, &limit, nullptr));
}

inline int move_to_core(pid_t target) {
  cpu_set_t cores;
  ::sched_getaffinity(0, sizeof cores, &cores);
  return error_of(::sched_setaffinity(target, sizeof cores, &cores));
}

inline int set_policy(pid_t target) {
  const sched_param parameters{};
  return error_of(::sched_setscheduler(target, SCHED_OTHER, &parameters));
}

// "When this descriptor is ready, signal that process": the kernel sends it, whoever filled the pipe.
inline int make_owner(pid_t target) {
  int ends[2];
  if (::pipe(ends) != 0) return errno;
  const Descriptor reader{ends[0]}, writer{ends[1]};
  return error_of(::fcntl(reader.number, F_SETOWN, target));
}

struct Attack {
  const char* name;
  int (*attempt)(pid_t target);
  bool tracing = false;  // may be refused without a sandbox as well: by Yama, or by a container
};

inline constexpr Attack attacks[] = {
    {"kill", [](pid_t target) { return error_of(::kill(target, SIGURG)); }},
    {"kill, with dirt above the 32 bits of the process id",
     [](pid_t target) { return error_of(::syscall(SYS_kill, std::int64_t{7} << 32 | target, SIGURG)); }},
    {"tkill", [](pid_t target) { return error_of(::syscall(SYS_tkill, target, SIGURG)); }},
    {"tgkill", [](pid_t target) { return error_of(::syscall(SYS_tgkill, target, target, SIGURG)); }},
    {"rt_sigqueueinfo", queue_signal},
    {"pidfd_open", [](pid_t target) { return error_of(Descriptor{int(::syscall(SYS_pidfd_open, target, 0))}.number); }},
    {"pidfd_send_signal", signal_by_directory},
    {"fcntl(F_SETOWN)", make_owner},
    {"prlimit", lower_limit},
    {"setpriority", [](pid_t target) { return error_of(::setpriority(PRIO_PROCESS, id_t(target), 19)); }},
    {"ioprio_set", [](pid_t target) { return error_of(::syscall(SYS_ioprio_set, 1, target, 2 << 13 | 7)); }},
    {"sched_setaffinity", move_to_core},
    {"sched_setscheduler", set_policy},
    {"ptrace(PTRACE_SEIZE)", [](pid_t target) { return error_of(::ptrace(PTRACE_SEIZE, target, nullptr, 0)); }, true},
    {"process_vm_writev", write_by_call, true},
    {"kcmp", [](pid_t target) { return error_of(::syscall(SYS_kcmp, target, target, KCMP_VM, 0, 0)); }, true},
    {"/proc/<pid>/mem, for writing", write_by_file, true},
    {"/proc/<pid>/mem, for reading", read_by_file, true},
};

}  // namespace sandbox_attacks
