#include "os/first_process_life.hpp"

#include "os/child.hpp"
#include "os/close_range.hpp"
#include "os/descendants.hpp"
#include "os/descriptor_socket.hpp"
#include "os/program_sandbox.hpp"
#include "os/program_start.hpp"
#include "os/spawn.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace bulkhead::os {

namespace {

// The parent-death signal reaches even a first process that was stopped. A number tells nobody in here whether the
// worker had ended before that was armed: outside numbers are all 0.
void end_with(int worker) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd ended{worker, POLLIN, 0};
  if (::poll(&ended, 1, 0) != 0) leave_at_once(0);
}

// Whoever waits for the end of the program's output, or for a reader of its input, must not wait for us.
// The program's pidfd takes the place of standard input; `kept` is above 2.
void close_all_but(int program, int kept) {
  ::dup2(program, STDIN_FILENO);
  const auto number = static_cast<unsigned>(kept);
  if (close_range(1, number - 1) && close_range(number + 1, ~0u)) return;
  const long most = ::sysconf(_SC_OPEN_MAX);  // before Linux 5.9
  for (int fd = 1; fd < most; ++fd)
    if (fd != kept) ::close(fd);
}

Refusal set_up(const FirstProcessPlan& plan) {
  const ProgramSandbox* const sandbox = plan.image->sandbox;
  if (plan.user_namespace)
    if (const Refusal refusal = name_user(plan.user, plan.group)) return refusal;
  if (sandbox != nullptr)
    if (const Refusal refusal = sandbox->guard_files()) return refusal;
  if (const Refusal refusal = mount_own_proc(sandbox != nullptr)) return refusal;
  if (plan.user_namespace) return drop_capabilities();
  return sandbox != nullptr ? drop_capabilities_over_the_machine() : Refusal{};
}

// Its memory is a worker's, with other tasks' items: the program is not to read it.
void hide_memory() { ::prctl(PR_SET_DUMPABLE, 0); }

// What ends while the program lives has lost its parents, and nobody else collects it. The program itself stays a
// zombie until the worker asks, so that its number and its group's mean nobody else.
void collect_orphans_until_end_of(pid_t program) {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | __WALL) != 0) continue;
    if (info.si_pid == program) return;
    ::waitpid(info.si_pid, nullptr, __WALL);
  }
}

// It is read, too: to a peer with something unread left, the end of ours would come before our last word.
void await_order(DescriptorSocket& socket) {
  pollfd order{socket.fd().get(), POLLIN, 0};
  while (::poll(&order, 1, -1) < 0 && errno == EINTR) {
  }
  FirstProcessWord word;
  static_cast<void>(::recv(socket.fd().get(), &word, sizeof word, 0));
}

bool anybody_lives() {
  for (;;) {
    const pid_t pid = ::waitpid(-1, nullptr, WNOHANG | __WALL);
    if (pid <= 0) return pid == 0;
  }
}

void tell_end(DescriptorSocket& socket, int pidfd) {
  const Fd program(pidfd);
  const Reaped reaped = reap_with_usage(program);
  FirstProcessWord word{.signaled = reaped.status.signaled,
                        .dumped = reaped.status.dumped,
                        .left_something = anybody_lives(),
                        .number = reaped.status.number,
                        .user_ns = reaped.user_time.count(),
                        .system_ns = reaped.system_time.count(),
                        .max_rss = reaped.max_rss,
                        .minor_faults = reaped.minor_faults};
  static_cast<void>(socket.send(bytes_of(word)));
}

[[noreturn]] void answer_refusal(DescriptorSocket& socket, FirstProcessWord word) {
  static_cast<void>(socket.send(bytes_of(word)));
  leave_at_once(0);
}

}  // namespace

int live_as_first_process(void* argument) {
  const auto& plan = *static_cast<const FirstProcessPlan*>(argument);
  DescriptorSocket& socket = *plan.socket;
  end_with(plan.worker);
  name_process("bulkhead-init");
  if (const Refusal refusal = set_up(plan))
    answer_refusal(socket, {.refused = true, .step = refusal.step, .error = refusal.error});
  hide_memory();

  alignas(std::max_align_t) char stack[ProgramStart::stack_size];
  const ProgramStart::Started started = plan.start->start(stack + sizeof stack);
  if (started.error != 0)
    answer_refusal(socket, {.refused = started.sandbox, .step = NamespaceStep::enter_sandbox, .error = started.error});
  FirstProcessWord word;
  if (!socket.send(bytes_of(word), {&started.pidfd, 1})) leave_at_once(1);
  close_all_but(started.pidfd, socket.fd().get());
  collect_orphans_until_end_of(started.pid);
  await_order(socket);
  tell_end(socket, STDIN_FILENO);
  leave_at_once(0);
}

}  // namespace bulkhead::os
