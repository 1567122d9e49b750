#include "os/first_process.hpp"

#include "os/first_process_life.hpp"
#include "os/pid_namespace.hpp"
#include "os/program_sandbox.hpp"
#include "os/program_start.hpp"
#include "os/spawn.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <vector>

namespace bulkhead::os {

namespace {

// Whether namespaces are granted to this process by itself is found out once, at the price of a failed call.
std::atomic<bool> needs_user_namespace{false};

int clone_first(FirstProcessPlan& plan, char* stack_top, int& pidfd) {
  constexpr int wanted = CLONE_NEWPID | CLONE_NEWNS | CLONE_PIDFD | SIGCHLD;
  if (!needs_user_namespace) {
    const int pid = ::clone(live_as_first_process, stack_top, wanted, &plan, &pidfd);
    if (pid >= 0 || errno != EPERM) return pid;
  }
  plan.user_namespace = true;
  const int pid = ::clone(live_as_first_process, stack_top, wanted | CLONE_NEWUSER, &plan, &pidfd);
  if (pid >= 0) needs_user_namespace = true;
  return pid;
}

Spawned not_spawned(const Refusal& refusal) { return {.error = refusal.error, .problem = explain(refusal)}; }

Reaped to_reaped(const FirstProcessWord& word) {
  return {.status = {.signaled = word.signaled, .number = word.number, .known = true, .dumped = word.dumped},
          .user_time = std::chrono::nanoseconds(word.user_ns),
          .system_time = std::chrono::nanoseconds(word.system_ns),
          .max_rss = word.max_rss,
          .minor_faults = word.minor_faults};
}

}  // namespace

void FirstProcess::await_start(Spawned& spawned) {
  FirstProcessWord word;
  Descriptors descriptors;
  wait_for_either(socket_.fd().get(), child_.pidfd().get());
  if (socket_.receive(bytes_of(word), descriptors) != DescriptorSocket::Receipt::message)
    word = {.refused = true, .step = NamespaceStep::start, .error = ESRCH};
  if (!word.refused && word.error == 0) {
    spawned.pidfd = std::move(descriptors.front());
    spawned.pid = spawned.pidfd ? pid_behind(spawned.pidfd) : 0;
    if (spawned.pid != 0) return;
    word = {.refused = true, .step = NamespaceStep::see_proc, .error = EMFILE};
  }
  collect();
  spawned = word.refused ? not_spawned({word.step, word.error}) : Spawned{.error = word.error};
}

FirstProcess::End FirstProcess::collect() {
  constexpr std::chrono::milliseconds patience{10'000};  // it was stopped from outside, or has no processor
  FirstProcessWord word;
  Descriptors descriptors;
  bool told = false;
  if (socket_.send(bytes_of(word)) && wait_readable(socket_.fd(), patience))
    told = socket_.receive(bytes_of(word), descriptors) == DescriptorSocket::Receipt::message;
  child_.kill();
  // Its own end comes after that of all others, and their usage counts as its own.
  Reaped all = reap_with_usage(child_.pidfd());
  *this = FirstProcess();
  if (told) return {to_reaped(word), word.left_something};
  all.status = {.signaled = true, .number = SIGKILL};
  return {all};
}

Spawned spawn_in_namespace(const ProgramImage& image, ProgramStart& start) {
  auto [ours, theirs] = DescriptorSocket::make_pair();
  const Fd worker = watch_process(process_id());
  FirstProcessPlan plan{.image = &image,
                        .start = &start,
                        .socket = &theirs,
                        .worker = worker.get(),
                        .user = ::geteuid(),
                        .group = ::getegid()};
  constexpr std::size_t words = first_process_stack_size / sizeof(std::max_align_t);
  const std::unique_ptr<std::max_align_t[]> stack(new std::max_align_t[words]);
  int pidfd = -1;
  const int pid = clone_first(plan, reinterpret_cast<char*>(stack.get() + words), pidfd);
  if (pid < 0) return not_spawned({NamespaceStep::create, errno});
  theirs = DescriptorSocket(Fd());
  Spawned spawned;
  FirstProcess first(Child(pid, kept_from_children(Fd(pidfd))), std::move(ours));
  first.await_start(spawned);
  spawned.first = std::move(first);
  return spawned;
}

}  // namespace bulkhead::os
