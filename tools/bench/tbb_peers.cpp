#include "tbb_peers.hpp"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

namespace bench {
namespace {

constexpr std::size_t tasks = 1'000'000;

// The caller is one of the workers: that is how these are used.
double run_task_group(const std::string& name) {
  std::vector<std::uint64_t> results(tasks);
  tbb::task_arena arena(static_cast<int>(workers));
  arena.initialize();
  const double ns = ns_per_task(tasks, [&] {
    arena.execute([&] {
      tbb::task_group group;
      for (std::size_t i = 0; i < tasks; ++i) group.run([&results, i] { results[i] = square(i); });
      group.wait();
    });
  });
  check_squares(name, results);
  return ns;
}

double run_parallel_for(const std::string& name) {
  std::vector<std::uint64_t> results(tasks);
  tbb::task_arena arena(static_cast<int>(workers));
  arena.initialize();
  const auto each = [&results](const tbb::blocked_range<std::size_t>& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) results[i] = square(i);
  };
  // The simple partitioner really goes down to the grain; the default one stops when every worker is busy.
  const double ns = ns_per_task(tasks, [&] {
    arena.execute(
        [&] { tbb::parallel_for(tbb::blocked_range<std::size_t>(0, tasks, 1), each, tbb::simple_partitioner()); });
  });
  check_squares(name, results);
  return ns;
}

}  // namespace

std::vector<Peer> tbb_peers() {
  const std::string group = "threads: oneTBB task_group", loop = "threads: oneTBB parallel_for, grain 1";
  return {{group, [group] { return run_task_group(group); }}, {loop, [loop] { return run_parallel_for(loop); }}};
}

}  // namespace bench
