// What a task costs the coordinator as workers become more: its processor time, which no number of cores makes less.
#include "subject.hpp"

#include <bulkhead/work.hpp>

#include <time.h>

#include <chrono>
#include <cstdint>
#include <ranges>
#include <stdexcept>
#include <string>

namespace {

using bulkhead::process_stream;

std::uint64_t tiny(std::uint64_t n) { return n * n; }

// Long enough that every worker has one in hand, and holds no core.
std::uint64_t sleeps(std::uint64_t n) {
  const timespec a_while{.tv_sec = 0, .tv_nsec = 5'000'000};
  ::nanosleep(&a_while, nullptr);
  return n * n;
}

// Nanoseconds of the coordinator's processor time a task. Starting the workers is not in it.
double coordinator_ns(std::uint64_t (*task)(std::uint64_t), std::size_t count, std::size_t num_workers) {
  auto stream = process_stream(std::views::iota(std::uint64_t{0}, std::uint64_t{count}), task,
                               {.num_workers = num_workers, .preserve_result_ordering = false});
  const std::size_t warm = count / 5;
  std::chrono::nanoseconds before{};
  std::size_t right = 0;
  for (auto& [index, outcome] : stream) {
    right += outcome && *outcome == index * index;
    if (right == warm) before = stream.statistics().coordinator_cpu_time;
    if (right == count) break;  // the workers' end is not in it either
  }
  if (right != count) throw std::runtime_error("scale: wrong or missing");
  return static_cast<double>((stream.statistics().coordinator_cpu_time - before).count()) /
         static_cast<double>(count - warm);
}

bench::Subject scale(const bench::Setting& setting) {
  bench::Subject subject{"scale", "processor time of the coordinator a task, with many workers on these cores"};
  for (const std::size_t workers : {2u, 8u, 64u, 256u}) {
    const std::string with = ", " + std::to_string(workers) + " workers";
    const std::size_t many = setting.count(2'000'000), few = setting.count(200 * workers, workers);
    subject.add(
        {bench::one_figure("tasks of 8 bytes" + with, "ns a task", [=] { return coordinator_ns(tiny, many, workers); }),
         bench::one_figure("tasks that sleep 5 ms" + with, "ns a task",
                           [=] { return coordinator_ns(sleeps, few, workers); })});
  }
  return subject;
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, scale); }
