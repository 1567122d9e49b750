// Work that takes time, on two workers: how near to half of its processor time the run comes, and how long the last
// result is on its way from the end of its task to the caller.
#include "child.hpp"
#include "spinning.hpp"
#include "subject.hpp"

#include <bulkhead/work.hpp>

#include <algorithm>
#include <functional>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#ifdef BULKHEAD_HAS_TBB
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>
#endif

namespace {

using bench::Lengths;
using Turns = std::vector<std::uint64_t>;
/// Runs spin() for each and puts when each ended into the second, in any order: as many places, zero, and touched
/// before, since what their pages cost is nobody's speed-up.
using Way = std::function<void(const Turns&, Turns&)>;

const bulkhead::WorkOptions two_workers{.num_workers = bench::workers};

void processes(const Turns& turns, Turns& ends) {
  for (auto& [index, outcome] : bulkhead::process_stream(turns, bench::spin, two_workers))
    ends[index] = outcome.value();
}

void threads(const Turns& turns, Turns& ends) {
  for (auto& [index, outcome] : bulkhead::threaded_stream(turns, bench::spin, two_workers))
    ends[index] = outcome.value();
}

// What the machine can do: two processes that know beforehand what is theirs. Long tasks and short ones are dealt
// alternately.
void halves(const Turns& turns, Turns& ends) {
  const std::uint64_t longest = *std::max_element(turns.begin(), turns.end());
  const auto figures = bench::in_children(bench::workers, [&](std::size_t mine) {
    std::size_t seen_long = 0, seen_short = 0;
    std::vector<double> done{0, 0};
    for (const std::uint64_t n : turns) {
      if ((n == longest ? seen_long++ : seen_short++) % bench::workers != mine) continue;
      done[0] = static_cast<double>(bench::spin(n));
      ++done[1];
    }
    return done;
  });
  auto place = ends.begin();
  for (const auto& done : figures)
    place = std::fill_n(place, static_cast<std::size_t>(done[1]), std::uint64_t(done[0]));
}

#ifdef BULKHEAD_HAS_TBB
void task_group(const Turns& turns, Turns& ends) {
  tbb::task_arena arena(static_cast<int>(bench::workers));
  arena.execute([&] {
    tbb::task_group group;
    for (std::size_t i = 0; i < turns.size(); ++i) group.run([&, i] { ends[i] = bench::spin(turns[i]); });
    group.wait();
  });
}
#endif

std::vector<double> measure(const Lengths& lengths, const Way& way) {
  const double ns_per_turn = bench::gauge_turn();
  Turns turns;
  for (const double us : lengths) turns.push_back(static_cast<std::uint64_t>(us * 1000 / ns_per_turn));
  const double ideal_ns = std::accumulate(lengths.begin(), lengths.end(), 0.0) * 1000 / bench::workers;
  Turns ends(turns.size());
  const std::uint64_t begin = bench::monotonic_ns();
  way(turns, ends);
  const std::uint64_t end = bench::monotonic_ns();
  const auto [first, last] = std::minmax_element(ends.begin(), ends.end());
  if (*first < begin || *last > end) throw std::runtime_error("a task was lost, or has not run");
  return {100 * ideal_ns / static_cast<double>(end - begin), static_cast<double>(end - *last) / 1e6};
}

struct Peers {
  std::string name, version;
  Way way;
};

std::vector<Peers> peers() {
  return {
      {"two processes, halves known beforehand (the machine)", "", halves},
      {"bulkhead process_stream", "", processes},
      {"bulkhead threaded_stream", "", threads},
#ifdef BULKHEAD_HAS_TBB
      {"oneTBB task_group", std::string("oneTBB ") + TBB_runtime_version(), task_group},
#endif
  };
}

bench::Subject speedup(const bench::Setting& setting) {
  const std::vector<std::pair<std::string, Lengths>> loads{
      {"10 us", bench::same_lengths(setting.count(100'000), 10)},
      {"10 us for two seconds", bench::same_lengths(setting.count(400'000), 10)},  // where start and end weigh less
      {"100 us", bench::same_lengths(setting.count(10'000), 100)},
      {"1 ms", bench::same_lengths(setting.count(1'000), 1000)},
      {"100 us and 8 of 100 ms", bench::mixed_lengths(setting.count(8'000))}};
  bench::Subject subject{"speedup", "tasks that spin for a while, two workers; 100 % is half of their processor time"};
  for (const auto& [load, lengths] : loads) {
    for (const Peers& peer : peers()) {
      const std::string name = load + ": " + peer.name;
      subject.add({{{{name, "% of ideal", peer.version}, {name + ", last result's delay", "ms", peer.version}},
                    [lengths = lengths, way = peer.way] { return measure(lengths, way); }}});
    }
    bench::Goal goal{load + ": speed-up of process_stream", load + ": bulkhead process_stream"};
    goal.bound = bench::Goal::Bound::at_least;
    goal.value = 95;
    goal.unit = "% of ideal";
    subject.goals.push_back(goal);
  }
#ifndef BULKHEAD_HAS_TBB
  subject.left_out.push_back("oneTBB: not found when this was built (libtbb-dev)");
#endif
  return subject;
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, speedup); }
