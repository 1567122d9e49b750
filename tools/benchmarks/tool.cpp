// A program for every record: /bin/true, two at a time, by Bulkhead and by what else starts programs.
#include "program.hpp"
#include "subject.hpp"

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

using Words = std::vector<std::string>;

constexpr const char* jobs = "jobs/s";

/// Makes the command that runs `program` once for each of `count` records.
using Maker = std::function<bench::Command(const Words& program, std::size_t count)>;

Words joined(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string in_one(const Words& words) {
  std::string line;
  for (const std::string& word : words) line += word + ' ';
  return line;
}

struct Way {
  std::string name, program, version_command;
  Maker make;
};

// The records come as lines on standard input.
Maker fed(bench::ScratchDirectory& scratch, const Words& words) {
  return [&scratch, words](const Words& program, std::size_t count) {
    bench::Command command{joined(words, program)};
    command.input = scratch.file("records", count, [](std::size_t i) { return std::to_string(i); });
    return command;
  };
}

bench::Command make_command(bench::ScratchDirectory& scratch, const Words& program, std::size_t count) {
  std::ofstream file(scratch.path("Makefile"));
  std::string targets;
  for (std::size_t i = 0; i < count; ++i) targets += " t" + std::to_string(i);
  file << ".PHONY: all" << targets << "\nall:" << targets << "\n" << targets << ":\n\t@" << in_one(program) << "$@\n";
  return {{"make", "-s", "-r", "-R", "-j2", "-f", scratch.path("Makefile")}};
}

bench::Command ninja_command(bench::ScratchDirectory& scratch, const Words& program, std::size_t count) {
  const std::string directory = scratch.path("ninja");
  std::filesystem::remove_all(directory);  // its log of the run before
  std::filesystem::create_directory(directory);
  std::ofstream file(directory + "/build.ninja");
  file << "rule r\n  command = " << in_one(program) << "$out\n";
  for (std::size_t i = 0; i < count; ++i) file << "build t" << i << ": r\n";
  return {{"ninja", "--quiet", "-j2", "-C", directory}};
}

Maker bare(int loops) {
  return [loops](const Words& program, std::size_t count) {
    return bench::Command{joined({bench::beside("bare_spawn"), std::to_string(loops), std::to_string(count)}, program)};
  };
}

// Each program's output kept apart, as a run of ours has it: a pipe of its own, of which the end is waited for.
bench::Command relay(const Words& program, std::size_t count) {
  return {joined({bench::beside("bare_relay"), std::to_string(count)}, program)};
}

constexpr const char* ours_name = "bulkhead run -j2";
constexpr const char* floor_name = "bare posix_spawn, two processes (the floor)";
constexpr const char* relay_name = "bare relay: the floor, and a pipe for each";

std::vector<Way> ways(bench::ScratchDirectory& scratch) {
  const auto from = [&scratch](auto* function) {
    return [&scratch, function](const Words& program, std::size_t count) { return function(scratch, program, count); };
  };
  const std::string ours = bench::bulkhead_program();
  return {{floor_name, "true", "", bare(2)},
          {"bare posix_spawn, one process, two at a time", "true", "", bare(1)},
          {relay_name, "true", "", relay},
          {ours_name, ours, ours + " --version", fed(scratch, {ours, "run", "-q", "-j2"})},
          {"xargs -P2 -n1", "xargs", "xargs --version", fed(scratch, {"xargs", "-P2", "-n1"})},
          {"make -j2", "make", "make --version", from(make_command)},
          {"ninja -j2", "ninja", "echo ninja $(ninja --version)", from(ninja_command)},
          {"GNU parallel -j2", "parallel", "parallel --version", fed(scratch, {"parallel", "--will-cite", "-j2"})}};
}

// Counts the programs that are really run, once, before anything is measured.
void check(bench::ScratchDirectory& scratch, const Way& way) {
  constexpr std::size_t count = 20;
  const std::string tally = scratch.file("tally", 0, nullptr);
  bench::run(way.make({bench::beside("tally"), tally}, count));
  if (std::filesystem::file_size(tally) != count) throw std::runtime_error(way.name + ": did not run each record once");
}

double rate(const Way& way, std::size_t count) {
  const bench::Command command = way.make({"/bin/true"}, count);
  return static_cast<double>(count) / bench::run(command).seconds;
}

std::vector<bench::Goal> goals() {
  using enum bench::Goal::Bound;
  constexpr auto times = bench::Goal::Compare::times;
  return {{"bulkhead / floor", ours_name, times, floor_name, at_least, 0.95},
          {"bulkhead / bare relay", ours_name, times, relay_name, at_least, 0.95},
          {"bare relay / floor: what can be had", relay_name, times, floor_name, at_least, 0.95},
          {"bulkhead / xargs", ours_name, times, "xargs -P2 -n1", at_least, 1.6},
          {"floor / xargs: what can be had", floor_name, times, "xargs -P2 -n1", at_least, 1.6},
          {"bulkhead / make", ours_name, times, "make -j2", at_least, 1},
          {"bulkhead / GNU parallel", ours_name, times, "GNU parallel -j2", at_least, 7}};
}

bench::Subject tool(const bench::Setting& setting) {
  const auto scratch = std::make_shared<bench::ScratchDirectory>();
  const std::size_t count = setting.count(1'000, 50);
  bench::Subject subject{
      "tool", "/bin/true for each of " + std::to_string(count) + " records, two at a time", {}, goals()};
  for (const Way& way : ways(*scratch)) {
    if (!bench::is_installed(way.program)) {
      subject.left_out.push_back(way.name + ": not installed");
      continue;
    }
    check(*scratch, way);
    subject.add({bench::one_figure(
        way.name, jobs, [=, keep = scratch] { return rate(way, count); },
        way.version_command.empty() ? "" : bench::first_line_of(way.version_command))});
  }
  return subject;
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, tool); }
