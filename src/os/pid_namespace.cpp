#include "os/pid_namespace.hpp"

#include "os/child.hpp"
#include "os/descendants.hpp"
#include "os/private_descriptors.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

namespace bulkhead::os {

namespace {

void insist(const Refusal& refusal) {
  if (refusal) throw NamespaceRefused(refusal);
}

// True: it took a user namespace.
bool unshare_as_privileged_as_we_are() {
  constexpr int wanted = CLONE_NEWPID | CLONE_NEWNS;
  const unsigned user = ::geteuid(), group = ::getegid();
  if (::unshare(wanted) == 0) return false;
  if (errno != EPERM || ::unshare(wanted | CLONE_NEWUSER) != 0) throw NamespaceRefused({NamespaceStep::create, errno});
  insist(name_user(user, group));
  return true;
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

NamespaceRefused::NamespaceRefused(const Refusal& refusal)
    : std::system_error(refusal.error, std::generic_category(), "bulkhead: " + explain(refusal)), step_(refusal.step) {}

void require_own_proc() {
  std::array<char, 32> name{};
  const ssize_t length = ::readlink("/proc/self", name.data(), name.size());
  if (length < 0 || std::string(name.data(), static_cast<std::size_t>(length)) != std::to_string(::getpid()))
    throw NamespaceRefused({NamespaceStep::see_proc, length < 0 ? errno : ENOTSUP});
}

void enter_pid_namespace(const Fd& host) {
  lead_own_group();
  take_default_signal_actions();
  const Fd guardian = watch_process(process_id());
  const bool in_user_namespace = unshare_as_privileged_as_we_are();
  enter_generation();
  if (auto first = fork_child()) guard(host, *std::move(first));
  insist(mount_own_proc());
  if (in_user_namespace) insist(drop_capabilities());
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
