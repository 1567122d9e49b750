// How soon the first task runs while a million records wait behind it, and what the waiting takes; and how long it all
// takes, start to end, for one record alone.
#include "child.hpp"
#include "program.hpp"
#include "subject.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using Words = std::vector<std::string>;

std::uint64_t read_stamp(int fifo) {
  pollfd end{fifo, POLLIN, 0};
  std::uint64_t stamp = 0;
  if (::poll(&end, 1, 60'000) != 1 || ::read(fifo, &stamp, sizeof stamp) != sizeof stamp)
    throw std::runtime_error("the first task did not come within a minute");
  return stamp;
}

/// Starts it; when the first task has come and half a second has passed, looks at its memory and ends it.
std::vector<double> first_task(bench::ScratchDirectory& scratch, Words words, const std::string& records) {
  const std::string path = scratch.path("fifo");
  ::unlink(path.c_str());
  if (::mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("mkfifo failed");
  const int fifo = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  words.insert(words.end(), {bench::beside("first_task"), path});
  const std::uint64_t begin = bench::monotonic_ns();
  const pid_t pid = bench::start({words, records});
  std::vector<double> figures;
  try {
    const std::uint64_t stamp = read_stamp(fifo);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // an eager reader shows itself
    figures = {static_cast<double>(stamp - begin) / 1e6, bench::peak_mib(pid)};
  } catch (...) {
    figures.clear();
  }
  ::kill(-pid, SIGTERM);
  while (::waitpid(-1, nullptr, 0) > 0) continue;  // what it leaves behind is ours to bury
  ::close(fifo);
  if (figures.empty()) throw std::runtime_error("the first task did not come within a minute");
  return figures;
}

double start_to_end_ms(const Words& words, std::size_t times) {
  const double elapsed = bench::seconds([&] {
    for (std::size_t i = 0; i < times; ++i) bench::run({.words = words, .quiet = true});
  });
  return elapsed * 1e3 / static_cast<double>(times);
}

void add_first_tasks(bench::Subject& subject, const bench::Setting& setting) {
  const auto scratch = std::make_shared<bench::ScratchDirectory>();
  const std::size_t count = setting.count(1'000'000);
  const std::string records = scratch->file("records", count, [](std::size_t i) { return std::to_string(i); });
  const auto add = [&](const std::string& name, const Words& words) {
    if (!bench::is_installed(words[0])) {
      subject.left_out.push_back(name + ": not installed");
      return;
    }
    const std::string version = bench::first_line_of(words[0] + " --version");
    subject.add({{{{name + ", first task", "ms", version}, {name + ", records waiting", "MiB at most", version}},
                  [=] { return first_task(*scratch, words, records); }}});
  };
  add("bulkhead run -j2", {bench::bulkhead_program(), "run", "-q", "-j2"});
  add("xargs -P2 -n1", {"xargs", "-P2", "-n1"});
  add("GNU parallel -j2", {"parallel", "--will-cite", "-j2"});
}

constexpr const char* ours = "start to end: bulkhead run true ::: 1";
constexpr const char* floor = "start to end: sh that forks /bin/true (the floor)";
constexpr const char* bare = "start to end: a bare worker and its program";

void add_single_records(bench::Subject& subject, const bench::Setting& setting) {
  const std::size_t times = setting.count(50, 3);
  const auto add = [&](const std::string& name, const Words& words) {
    subject.add({bench::one_figure(name, "ms", [=] { return start_to_end_ms(words, times); })});
  };
  add(ours, {bench::bulkhead_program(), "run", "true", ":::", "1"});
  add("start to end: sh -c true", {"sh", "-c", "true"});
  add(floor, {"sh", "-c", "/bin/true 1; exit $?"});
  add(bare, {bench::beside("bare_start"), "/bin/true", "1"});
}

bench::Goal at_most(const std::string& row, double value, const std::string& unit) {
  bench::Goal goal{row, row};
  goal.value = value;
  goal.unit = unit;
  return goal;
}

bench::Subject waiting(const bench::Setting& setting) {
  bench::Subject subject{"waiting",
                         std::to_string(setting.count(1'000'000)) + " records wait for two tasks; one alone"};
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  add_first_tasks(subject, setting);
  add_single_records(subject, setting);
  subject.goals = {at_most("bulkhead run -j2, first task", 50, "ms"),
                   at_most("bulkhead run -j2, records waiting", 64, "MiB"),
                   {"start to end: above the floor", ours, bench::Goal::Compare::difference, floor,
                    bench::Goal::Bound::at_most, 5, "ms"},
                   {"bare worker: above the floor: what can be had", bare, bench::Goal::Compare::difference, floor,
                    bench::Goal::Bound::at_most, 5, "ms"}};
  return subject;
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, waiting); }
