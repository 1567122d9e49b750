// Whether ten times the tasks need more memory, and what one more of them costs once everything runs.
#include "child.hpp"
#include "program.hpp"
#include "subject.hpp"

#include <bulkhead/work.hpp>

#include <unistd.h>

#include <fstream>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>

namespace {

/// Runs so many tasks: seconds, and the coordinator's peak in MiB.
using Way = std::function<bench::Run(std::size_t tasks)>;

std::uint64_t square(std::uint64_t x) { return x * x; }

// In a process of its own, so that the peak is this run's.
bench::Run stream(std::size_t tasks) {
  const auto figures = bench::in_children(1, [&](std::size_t) {
    std::uint64_t right = 0;
    const double elapsed = bench::seconds([&] {
      const auto items = std::views::iota(std::uint64_t{0}, std::uint64_t{tasks});
      for (auto& [index, outcome] : bulkhead::process_stream(items, square, {.num_workers = bench::workers}))
        right += outcome && *outcome == square(index);
    });
    if (right != tasks) throw std::runtime_error("a result is wrong or missing");
    return std::vector<double>{elapsed, bench::peak_mib(::getpid())};
  });
  return {figures[0][0], figures[0][1]};
}

void check_output(const std::string& path, std::size_t tasks) {
  std::ifstream in(path);
  std::size_t right = 0;
  for (std::string line; std::getline(in, line); ++right)
    if (line != std::to_string(square(right % 10'000))) break;
  if (right != tasks || !in.eof()) throw std::runtime_error("a line of the output is wrong or missing");
}

// The tasks' numbers come from a file, the results go to a file, which is looked at afterwards.
bench::Run call(bench::ScratchDirectory& scratch, std::size_t tasks) {
  const std::string name = std::to_string(tasks), input = scratch.path(name);
  if (::access(input.c_str(), R_OK) != 0)  // it is kept from one round to the next
    scratch.file(name, tasks, [](std::size_t i) { return std::to_string(i % 10'000); });
  bench::Command command{
      {bench::bulkhead_program(), "call", "-q", "-k", "-j2", BULKHEAD_BENCH_BUILD "/examples/square_plugin.so"}};
  command.input = input;
  command.output = scratch.path("output");
  command.watch_peak = true;
  const bench::Run run = bench::run(command);
  check_output(command.output, tasks);
  return run;
}

std::vector<double> measure(const Way& way, std::size_t few, std::size_t many) {
  const bench::Run small = way(few), large = way(many);
  return {small.peak_mib, large.peak_mib, (large.seconds - small.seconds) * 1e9 / static_cast<double>(many - few)};
}

bench::Subject memory(const bench::Setting& setting) {
  const std::size_t few = setting.count(1'000'000), many = setting.count(10'000'000);
  bench::Subject subject{"memory", "the coordinator's peak, and the time that one more task takes, two workers"};
  const auto add = [&](const std::string& name, const Way& way) {
    const std::string small = name + ", " + std::to_string(few) + " tasks", large = name + ", " + std::to_string(many);
    subject.add({{{{small, "MiB at most"}, {large + " tasks", "MiB at most"}, {name + ", one more", "ns a task"}},
                  [=] { return measure(way, few, many); }}});
    // Results that wait for their turn may fill the window or not; a byte kept of each task would be 9 MiB.
    subject.goals.push_back({name + ": growth from few to many", large + " tasks", bench::Goal::Compare::difference,
                             small, bench::Goal::Bound::at_most, 8, "MiB"});
  };
  add("process_stream", stream);
  add("bulkhead call",
      [scratch = std::make_shared<bench::ScratchDirectory>()](std::size_t n) { return call(*scratch, n); });
  return subject;
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, memory); }
