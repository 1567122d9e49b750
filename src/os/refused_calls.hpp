// The system calls that are refused whatever their arguments: all of them to sandboxed workers, some to sandboxed
// programs. syscall_filter.cpp and program_filter.cpp have the others.
#pragma once

#include <sys/syscall.h>

#include <array>
#include <span>

namespace bulkhead::os::refused {

// Not in every distribution's headers; numbers above 423 are the same on every architecture.
inline constexpr int process_madvise = 440, mount_setattr = 442, quotactl_fd = 443, process_mrelease = 448,
                     fchmodat2 = 452, setxattrat = 463, removexattrat = 466, open_tree_attr = 467, file_setattr = 469;

/// Other processes, by whatever handle: their signals, and
inline constexpr int handles[] = {SYS_pidfd_open, SYS_pidfd_send_signal};
/// what is in them.
inline constexpr int tracing[] = {SYS_pidfd_getfd, SYS_ptrace,      SYS_process_vm_readv, SYS_process_vm_writev,
                                  SYS_kcmp,        process_madvise, process_mrelease};

/// Ways out of the process group that the coordinator ends as one, and
inline constexpr int groups[] = {SYS_setpgid, SYS_setsid};
/// of its namespaces.
inline constexpr int namespaces[] = {SYS_setns, SYS_unshare};

/// Another identity would also disarm the signal that comes when the coordinator dies.
inline constexpr int identity[] = {SYS_setuid,    SYS_setgid,   SYS_setreuid, SYS_setregid, SYS_setresuid,
                                   SYS_setresgid, SYS_setfsuid, SYS_setfsgid, SYS_setgroups};

/// Ways round this filter, and large doors into the kernel.
inline constexpr int doors[] = {
    SYS_io_uring_setup, SYS_io_uring_enter,   SYS_io_uring_register, SYS_bpf,         SYS_perf_event_open,
    SYS_userfaultfd,    SYS_keyctl,           SYS_add_key,           SYS_request_key, SYS_personality,
    SYS_fanotify_init,  SYS_open_by_handle_at};

/// What is mounted where.
inline constexpr int mounts[] = {SYS_mount,  SYS_umount2,  SYS_pivot_root, SYS_chroot, SYS_open_tree, SYS_move_mount,
                                 SYS_fsopen, SYS_fsconfig, SYS_fsmount,    SYS_fspick, mount_setattr, open_tree_attr};

/// What files are, apart from their contents: Landlock does not know these.
inline constexpr int attributes[] = {SYS_fchmod,    SYS_fchmodat,  SYS_fchown,      SYS_fchownat,     SYS_setxattr,
                                     SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
                                     SYS_utimensat, fchmodat2,     setxattrat,      removexattrat,    file_setattr};

/// The machine's own settings.
inline constexpr int machine[] = {
    SYS_init_module,   SYS_finit_module, SYS_delete_module, SYS_kexec_load,    SYS_reboot,   SYS_swapon,
    SYS_swapoff,       SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname,
    SYS_setdomainname, SYS_quotactl,     quotactl_fd,       SYS_acct,          SYS_syslog,   SYS_vhangup};

/// What newer architectures no longer have.
#if defined(__x86_64__)
inline constexpr int older[] = {SYS_fork,   SYS_vfork, SYS_chmod,  SYS_chown,
                                SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat};
inline constexpr int older_of_machine[] = {SYS_iopl, SYS_ioperm, SYS_kexec_file_load};
#else
inline constexpr std::array<int, 0> older{};
inline constexpr int older_of_machine[] = {SYS_kexec_file_load};
#endif

using Groups = std::span<const int>;
inline constexpr std::array<Groups, 11> to_workers{handles, tracing, groups,     namespaces, identity,        doors,
                                                   mounts,  machine, attributes, older,      older_of_machine};
/// They start processes, lead groups, and set the attributes of the files that they may reach.
inline constexpr std::array<Groups, 6> to_programs{tracing, namespaces, doors, mounts, machine, older_of_machine};

}  // namespace bulkhead::os::refused
