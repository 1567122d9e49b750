#include "os/pid_namespace.hpp"

#include "os/child.hpp"
#include "os/descendants.hpp"
#include "os/private_descriptors.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

namespace bulkhead::os {

namespace {

std::string explain(NamespaceStep step, int error) {
  const std::string lack = "Isolation::pid cannot be had here: ";
  switch (step) {
    case NamespaceStep::see_proc:
      return lack + "/proc is missing, or shows another pid namespace than that of this process; mount it anew";
    case NamespaceStep::create:
      if (error == ENOSPC || error == EUSERS)
        return lack +
               "no further namespace is granted; raise the sysctls user.max_user_namespaces, "
               "user.max_pid_namespaces and user.max_mnt_namespaces (or 32 are nested already)";
      if (error == EINVAL || error == ENOSYS)
        return lack + "this kernel has no pid or user namespaces (CONFIG_PID_NS, CONFIG_USER_NS)";
      return lack +
             "unprivileged user namespaces are refused; set the sysctl kernel.unprivileged_userns_clone to 1, or "
             "in a container allow unshare(), or run with CAP_SYS_ADMIN (as root)";
    case NamespaceStep::map_user:
      if (error == EACCES)
        return lack +
               "this process cannot name its user in a user namespace, because it changed its user or is kept "
               "from being traced; execute the program anew as that user, or call prctl(PR_SET_DUMPABLE, 1)";
      return lack + "the user cannot be named in a user namespace; run with CAP_SYS_ADMIN (as root)";
    case NamespaceStep::mount_proc:
      return lack +
             "a /proc of its own is refused; set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0, or "
             "in a container leave /proc unmasked, or run with CAP_SYS_ADMIN (as root)";
    case NamespaceStep::start:
      break;
  }
  return lack + "the process that forks the workers ended before it served";
}

void write_file(const char* path, const std::string& text) {
  const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) < 0)
    throw NamespaceRefused(NamespaceStep::map_user, errno);
}

std::string itself(unsigned id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; }

// True: it took a user namespace.
bool unshare_as_privileged_as_we_are() {
  constexpr int wanted = CLONE_NEWPID | CLONE_NEWNS;
  const unsigned user = ::geteuid(), group = ::getegid();
  if (::unshare(wanted) == 0) return false;
  if (errno != EPERM || ::unshare(wanted | CLONE_NEWUSER) != 0) throw NamespaceRefused(NamespaceStep::create, errno);
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", itself(user));
  write_file("/proc/self/gid_map", itself(group));
  return true;
}

// The mount hides the outer /proc from this namespace alone: what is mounted on a slave is not passed on.
void mount_own_proc() {
  if (::mount(nullptr, "/proc", nullptr, MS_SLAVE | MS_REC, nullptr) != 0 ||
      ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    throw NamespaceRefused(NamespaceStep::mount_proc, errno);
}

// Those that a new user namespace gave: a task is to find itself as mighty as its host, no more.
void drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) throw NamespaceRefused(NamespaceStep::map_user, errno);
}

// The parent-death signal reaches even a first process that was stopped, and ours forked in its only thread. A number
// tells nobody in there whether the guardian had ended before that was armed: outside numbers are all 0.
void end_with(const Fd& guardian) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd ended{guardian.get(), POLLIN, 0};
  if (::poll(&ended, 1, 0) != 0) leave_at_once(0);
}

[[noreturn]] void guard(const Fd& host, Child first) noexcept {
  name_process("bulkhead-guard");
  close_private_descriptors(std::array{host.get(), first.pidfd().get()});
  std::array<pollfd, 2> ends{pollfd{host.get(), POLLIN, 0}, pollfd{first.pidfd().get(), POLLIN, 0}};
  while (::poll(ends.data(), ends.size(), -1) < 0 && errno == EINTR) {
  }
  if (ends[1].revents != 0) static_cast<void>(first.try_reap());
  leave_at_once(0);
}

}  // namespace

NamespaceRefused::NamespaceRefused(NamespaceStep step, int error)
    : std::system_error(error, std::generic_category(), "bulkhead: " + explain(step, error)), step_(step) {}

void require_own_proc() {
  std::array<char, 32> name{};
  const ssize_t length = ::readlink("/proc/self", name.data(), name.size());
  if (length < 0 || std::string(name.data(), static_cast<std::size_t>(length)) != std::to_string(::getpid()))
    throw NamespaceRefused(NamespaceStep::see_proc, length < 0 ? errno : ENOTSUP);
}

void enter_pid_namespace(const Fd& host) {
  lead_own_group();
  const Fd guardian = watch_process(process_id());
  const bool in_user_namespace = unshare_as_privileged_as_we_are();
  enter_generation();
  if (auto first = fork_child()) guard(host, *std::move(first));
  mount_own_proc();
  if (in_user_namespace) drop_capabilities();
  end_with(guardian);
  forget_spared_children();
}

bool is_first_in_pid_namespace() noexcept { return ::getpid() == 1; }

int pid_behind(const Fd& pidfd) {
  const Fd file(::open(("/proc/self/fdinfo/" + std::to_string(pidfd.get())).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 512> text{};
  const ssize_t length = file ? ::read(file.get(), text.data(), text.size() - 1) : 0;
  constexpr const char* label = "\nPid:\t";
  const char* const found = length > 0 ? std::strstr(text.data(), label) : nullptr;
  int pid = 0;
  if (found != nullptr) std::from_chars(found + std::strlen(label), text.data() + length, pid);
  return pid > 0 ? pid : 0;
}

}  // namespace bulkhead::os
