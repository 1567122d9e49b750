// Every task crashes: how many crashes a second are survived, beside a loop that does nothing but fork and bury.
#include "bare_fork_server.hpp"
#include "child.hpp"
#include "subject.hpp"

#include <bulkhead/work.hpp>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// In a process that has not seen crashes before: what an earlier measurement read and allocated would make forks
// dearer.
double seconds_in_fresh_process(const std::function<void()>& body) {
  return bench::in_children(1, [&](std::size_t) { return std::vector<double>{bench::seconds(body)}; })[0][0];
}

double run_ours(std::size_t tasks, std::size_t worker_count, int signal) {
  const auto die = [signal](int) {
    ::kill(::getpid(), signal);
    return 0;
  };
  const double elapsed = seconds_in_fresh_process([&] {
    std::size_t crashed = 0;
    const auto items = std::views::iota(0, static_cast<int>(tasks));
    for (auto& [index, outcome] : bulkhead::process_stream(items, die, {.num_workers = worker_count}))
      crashed += !outcome && outcome.error().ending == bulkhead::Ending::crashed && outcome.error().signal == signal;
    if (crashed != tasks) throw std::runtime_error("a crash was not told, or not as what it was");
  });
  return static_cast<double>(tasks) / elapsed;
}

void bare_loop(std::size_t tasks, int signal) {
  for (std::size_t i = 0; i < tasks; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::kill(::getpid(), signal);
      ::_exit(0);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != signal)
      throw std::runtime_error("a child did not die as it should");
  }
}

double run_bare(std::size_t tasks, std::size_t loops, int signal) {
  const double elapsed = bench::seconds([&] {
    bench::in_children(loops, [&](std::size_t) {
      bare_loop(tasks / loops, signal);
      return std::vector<double>{};
    });
  });
  return static_cast<double>(tasks / loops * loops) / elapsed;
}

double run_server(std::size_t tasks, std::size_t slots, int signal, bool on_one_core) {
  return static_cast<double>(tasks) /
         seconds_in_fresh_process([&] { bench::BareForkServer(slots, signal, on_one_core).run(tasks); });
}

bench::Subject crash(const bench::Setting& setting) {
  const rlimit no_cores{0, 0};  // the kernel's writing of them is not what is measured
  ::setrlimit(RLIMIT_CORE, &no_cores);
  const std::size_t tasks = setting.count(2'000, 50);
  bench::Subject subject{"crash", "every task kills its own worker"};
  for (const auto& [signal, name] : {std::pair{SIGKILL, "SIGKILL"}, std::pair{SIGSEGV, "SIGSEGV"}}) {
    for (const std::size_t n : {1, 2}) {
      const std::string by = std::string(name) + ": ", count = n == 1 ? "one" : "two";
      const std::string ours = by + "bulkhead process_stream, " + count + (n == 1 ? " worker" : " workers");
      const std::string bare = by + "bare fork, kill, wait: " + count + (n == 1 ? " loop" : " loops");
      const std::string server = by + "bare fork server, " + count + (n == 1 ? " worker" : " workers");
      const std::string on_one_core = by + "bare fork server on one core, " + count + (n == 1 ? " worker" : " workers");
      subject.add(
          {bench::one_figure(bare, "crashes/s", [=, s = signal] { return run_bare(tasks, n, s); }),
           bench::one_figure(server, "crashes/s", [=, s = signal] { return run_server(tasks, n, s, false); }),
           bench::one_figure(on_one_core, "crashes/s", [=, s = signal] { return run_server(tasks, n, s, true); }),
           bench::one_figure(ours, "crashes/s", [=, s = signal] { return run_ours(tasks, n, s); })});
      subject.goals.push_back({by + "process_stream / bare loop, " + count + " at once", ours,
                               bench::Goal::Compare::percent, bare, bench::Goal::Bound::at_least, 70, "%"});
      subject.goals.push_back({by + "process_stream / bare fork server, " + count + " at once", ours,
                               bench::Goal::Compare::percent, server, bench::Goal::Bound::at_least, 70, "%"});
      subject.goals.push_back({by + "process_stream / bare fork server on one core, " + count + " at once", ours,
                               bench::Goal::Compare::percent, on_one_core, bench::Goal::Bound::at_least, 70, "%"});
    }
  }
  return subject;
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, crash); }
