#include "runs/doctor.hpp"

#include "rules/admission.hpp"

#include <bulkhead/command.hpp>
#include <bulkhead/machine.hpp>
#include <bulkhead/options.hpp>
#include <bulkhead/work.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

namespace bulkhead::tool {

namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line.empty() ? "not there" : line;
}

// The same for programs.
std::string tried_for_programs(Isolation isolation) {
  try {
    Command command{.arguments = {"true"}, .isolation = isolation};
    if (isolation == Isolation::strict) command.writable_paths = {"/tmp"};
    std::string lacking;
    for (const std::string& gap : try_isolation(command)) lacking += "; lacking: " + gap;
    return "granted" + lacking;
  } catch (const std::exception& error) {
    return std::string("refused: ") + error.what();
  }
}

// The kernel is asked by doing it: one task under this isolation.
std::string tried(Isolation isolation) {
  try {
    std::string lacking;
    WorkOptions options{.num_workers = 1, .isolation = isolation};
    options.on_event = [&](const Event& event) {
      if (event.kind == EventKind::isolation_lacking && event.failure) lacking += "; lacking: " + event.failure->what;
    };
    const auto outcomes = do_process_work(
        std::vector<int>{1}, [](int x) { return x; }, options);
    return outcomes.front() ? "granted" + lacking : "refused: " + outcomes.front().error().describe();
  } catch (const std::exception& error) {
    return std::string("refused: ") + error.what();
  }
}

}  // namespace

std::string diagnosis() {
  std::string text;
  const auto line = [&](const char* name, const std::string& value, const char* means) {
    text += fmt::format("{:<22}{}\n{:<22}  {}\n", name, value, "", means);
  };
  line("cores", fmt::format("{} usable of {}", usable_cores(), std::thread::hardware_concurrency()),
       "the default of --jobs: the affinity mask, cut by the control group's quota");
  line("memory", fmt::format("{} MiB available", available_memory() >> 20),
       "what --mem-free compares with; limits of control groups are counted in");
  line("load", fmt::format("{:.2f}", load_average()), "what --load compares with");
  line("pidfd", has_process_descriptors() ? "there" : "not there",
       "needed: the ends of workers are learnt from it (Linux 5.4)");
  line("pid namespace", tried_for_programs(Isolation::pid),
       "run --isolate pid: granted, nothing that a program starts can outlive it");
  line("strict", tried_for_programs(Isolation::strict),
       "run --isolate strict: granted, programs have no network and write where they work");
  line("pid, for call", tried(Isolation::pid),
       "--isolate pid: granted, nothing that a task starts can outlive the run");
  line("strict, for call", tried(Isolation::strict),
       "--isolate strict: granted, tasks change no files and reach no processes");
  line("core_pattern", first_line("/proc/sys/kernel/core_pattern"),
       "where core dumps go; the shared queue is never in one");
  line("pid_max", first_line("/proc/sys/kernel/pid_max"), "how many processes there can be at once");
  line("ptrace_scope", first_line("/proc/sys/kernel/yama/ptrace_scope"),
       "above 0 a debugger must start what it looks at: bulkhead replay --gdb does");
  line("transparent pages", first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
       "madvise or always: many small results cost a fraction");
  const char* directory = std::getenv("TMPDIR");
  line("temporary files", directory && *directory ? directory : "/tmp",
       "output rests there until it is printed, in files without a name");
  line("what can outlive", "a descendant that left its process group",
       "if Bulkhead itself is killed by SIGKILL and no pid namespace was asked for; with --isolate pid nothing does");
  return text;
}

}  // namespace bulkhead::tool
