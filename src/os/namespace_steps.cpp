#include "os/namespace_steps.hpp"

#include "os/fd.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>

namespace bulkhead::os {

namespace {

// Not in every distribution's headers. The numbers are the same on every architecture.
constexpr long open_tree = 428, move_mount = 429, mount_setattr = 442;
constexpr unsigned clone_tree = 1, empty_source_path = 4, whole_tree = 0x8000 /* AT_RECURSIVE */;
constexpr std::uint64_t read_only_mount = 1;  // MOUNT_ATTR_RDONLY

struct MountAttributes {
  std::uint64_t set = 0, clear = 0, propagation = 0, user_namespace = 0;
};

Refusal refused_at(NamespaceStep step) noexcept { return {step, errno}; }

bool write_into(const char* path, std::string_view text) noexcept {
  const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) >= 0;
}

bool map_to_itself(const char* path, unsigned id) noexcept {
  std::array<char, 32> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%u %u 1", id, id);  // of plain numbers: it allocates nothing
  return write_into(path, {text.data(), static_cast<std::size_t>(length)});
}

Fd writable_copy(const char* path) noexcept {
  return Fd(static_cast<int>(::syscall(open_tree, AT_FDCWD, path, clone_tree | O_CLOEXEC | whole_tree)));
}

// "/dev/shm" lies in `path`, or `path` in it.
bool has_to_do_with_shared_memory(std::string_view path) noexcept {
  constexpr std::string_view place = "/dev/shm";
  const std::size_t common = std::min(path.size(), place.size());
  if (path.substr(0, common) != place.substr(0, common)) return false;
  const std::string_view longer = path.size() > place.size() ? path : place;
  return longer.size() == common || longer[common] == '/';
}

void mount_own_shared_memory(std::span<const char* const> writable) noexcept {
  for (const char* path : writable)
    if (has_to_do_with_shared_memory(path)) return;
  ::mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");  // a bare chroot may have no such place
}

Refusal keep_capabilities(std::uint64_t kept) noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return refused_at(NamespaceStep::map_user);
  const std::array halves{static_cast<std::uint32_t>(kept), static_cast<std::uint32_t>(kept >> 32)};
  for (std::size_t i = 0; i < sets.size(); ++i) {
    sets[i].effective &= halves[i];
    sets[i].permitted &= halves[i];
    sets[i].inheritable &= halves[i];
  }
  return ::syscall(SYS_capset, &header, sets.data()) == 0 ? Refusal{} : refused_at(NamespaceStep::map_user);
}

std::string lack_of_namespaces(int error) {
  if (error == ENOSPC || error == EUSERS)
    return "no further namespace is granted; raise the sysctls user.max_user_namespaces, "
           "user.max_pid_namespaces and user.max_mnt_namespaces (or 32 are nested already)";
  if (error == EINVAL || error == ENOSYS)
    return "this kernel has no pid or user namespaces (CONFIG_PID_NS, CONFIG_USER_NS)";
  return "unprivileged user namespaces are refused; set the sysctl kernel.unprivileged_userns_clone to 1, or "
         "in a container allow unshare(), or run with CAP_SYS_ADMIN (as root)";
}

}  // namespace

std::string explain(const Refusal& refusal) {
  const std::string lack = "Isolation::pid cannot be had here: ", strict = "Isolation::strict cannot be had here: ";
  switch (refusal.step) {
    case NamespaceStep::see_proc:
      return lack + "/proc is missing, or shows another pid namespace than that of this process; mount it anew";
    case NamespaceStep::create:
      return lack + lack_of_namespaces(refusal.error);
    case NamespaceStep::map_user:
      if (refusal.error == EACCES)
        return lack +
               "this process cannot name its user in a user namespace, because it changed its user or is kept "
               "from being traced; execute the program anew as that user, or call prctl(PR_SET_DUMPABLE, 1)";
      return lack + "the user cannot be named in a user namespace; run with CAP_SYS_ADMIN (as root)";
    case NamespaceStep::mount_proc:
      return lack +
             "a /proc of its own is refused; set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0, or "
             "in a container leave /proc unmasked, or run with CAP_SYS_ADMIN (as root)";
    case NamespaceStep::guard_files:
      if (refusal.error == ENOSYS)
        return strict + "this kernel cannot make whole mount trees read-only (Linux 5.12 can); choose pid";
      return strict + "the file system cannot be made read-only; where / is no mount point (in a chroot), make it one";
    case NamespaceStep::enter_sandbox:
      return strict + "Landlock or seccomp is refused to programs, by a container's own filter perhaps; choose pid";
    case NamespaceStep::start:
      break;
  }
  return lack + "the first process of the namespace ended before it served";
}

Refusal name_user(unsigned user, unsigned group) noexcept {
  const bool named = write_into("/proc/self/setgroups", "deny") && map_to_itself("/proc/self/uid_map", user) &&
                     map_to_itself("/proc/self/gid_map", group);
  return named ? Refusal{} : refused_at(NamespaceStep::map_user);
}

Refusal mount_own_proc(bool read_only) noexcept {
  const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (read_only ? MS_RDONLY : 0);
  if (::mount(nullptr, "/proc", nullptr, MS_SLAVE | MS_REC, nullptr) != 0 ||
      ::mount("proc", "/proc", "proc", flags, nullptr) != 0)
    return refused_at(NamespaceStep::mount_proc);
  return {};
}

// The writable places are copied before all becomes read-only, and laid over themselves after.
Refusal guard_files(std::span<const char* const> writable) noexcept {
  std::array<Fd, 16> copies;
  if (writable.size() > copies.size()) return {NamespaceStep::guard_files, E2BIG};
  if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) return refused_at(NamespaceStep::guard_files);
  for (std::size_t i = 0; i < writable.size(); ++i)
    if (!(copies[i] = writable_copy(writable[i]))) return refused_at(NamespaceStep::guard_files);
  const MountAttributes attributes{.set = read_only_mount};
  if (::syscall(mount_setattr, AT_FDCWD, "/", whole_tree, &attributes, sizeof attributes) != 0)
    return refused_at(NamespaceStep::guard_files);
  for (std::size_t i = 0; i < writable.size(); ++i)
    if (::syscall(move_mount, copies[i].get(), "", AT_FDCWD, writable[i], empty_source_path) != 0)
      return refused_at(NamespaceStep::guard_files);
  mount_own_shared_memory(writable);
  return {};
}

Refusal drop_capabilities() noexcept {
  if (::geteuid() == 0 && ::prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) != 0)
    return refused_at(NamespaceStep::map_user);
  return keep_capabilities(0);
}

Refusal drop_capabilities_over_the_machine() noexcept {
  std::uint64_t kept = 0;
  for (const int one : {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID,
                        CAP_SETPCAP, CAP_IPC_LOCK, CAP_SYS_NICE, CAP_SYS_RESOURCE, CAP_LEASE, CAP_SETFCAP})
    kept |= std::uint64_t{1} << one;
  return keep_capabilities(kept);
}

}  // namespace bulkhead::os
