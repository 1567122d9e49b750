// Lines in, lines out: a compiled function for every line, in two workers, by `bulkhead call`.
#include "program.hpp"
#include "subject.hpp"

#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

constexpr std::size_t period = 10'000;  // so that awk's numbers are exact

// In order, or as many of each as there must be.
void check(const std::string& path, std::size_t lines, bool in_order) {
  std::ifstream in(path);
  std::vector<std::size_t> seen(period);
  std::size_t count = 0;
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < period; ++i) expected.push_back(std::to_string(i * i));
  for (std::string line; std::getline(in, line); ++count) {
    const auto root = static_cast<std::size_t>(__builtin_sqrt(std::stod(line)) + 0.5);
    if (root >= period || line != expected[root] || (in_order && root != count % period))
      throw std::runtime_error("line " + std::to_string(count + 1) + " of the output is wrong: " + line);
    ++seen[root];
  }
  for (std::size_t i = 0; i < period; ++i)
    if (seen[i] != lines / period + (i < lines % period)) throw std::runtime_error("lines are missing, or twice");
}

bench::Subject call(const bench::Setting& setting) {
  const auto scratch = std::make_shared<bench::ScratchDirectory>();
  const std::size_t lines = setting.count(5'000'000);
  const std::string input = scratch->file("input", lines, [](std::size_t i) { return std::to_string(i % period); });
  const auto peer = [&](const std::string& name, std::vector<std::string> words, bool in_order, std::string version) {
    bench::Command command{std::move(words), input, scratch->path("output")};
    auto measure = [=, keep = scratch] {
      const double elapsed = bench::run(command).seconds;
      check(command.output, lines, in_order);
      return static_cast<double>(lines) / elapsed / 1e6;
    };
    return bench::one_figure(name, "million lines/s", measure, std::move(version));
  };
  const std::string ours = bench::bulkhead_program(), plugin = BULKHEAD_BENCH_BUILD "/examples/square_plugin.so",
                    version = bench::first_line_of(ours + " --version"), name = "bulkhead call -j2";
  bench::Subject subject{"call", "x * x for each of " + std::to_string(lines) + " lines, from a file to a file"};
  subject.add({peer(name, {ours, "call", "-q", "-j2", plugin}, false, version),
               peer(name + " -k, in order", {ours, "call", "-q", "-k", "-j2", plugin}, true, version)});
  if (bench::is_installed("awk"))
    subject.add({peer("awk '{print $1 * $1}', one process, nothing contained", {"awk", "{print $1 * $1}"}, true,
                      bench::first_line_of("awk -W version 2>&1 | cut -d, -f1"))});
  else
    subject.left_out.push_back("awk: not installed");
  for (const std::string& row : {name, name + " -k, in order"}) {
    bench::Goal goal{row, row};
    goal.bound = bench::Goal::Bound::at_least;
    goal.value = 2;
    goal.unit = "million lines/s";
    subject.goals.push_back(goal);
  }
  return subject;
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, call); }
