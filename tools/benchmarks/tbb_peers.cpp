#include "tiny_peers.hpp"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

namespace bench {
namespace {

// The caller is one of the workers: that is how these are used.
double run_in_arena(std::size_t tasks, const std::function<void()>& work) {
  tbb::task_arena arena(static_cast<int>(workers));
  arena.initialize();
  return ns_per_task(tasks, [&] { arena.execute([&] { work(); }); });
}

double run_task_group(std::vector<std::uint64_t>& results) {
  return run_in_arena(results.size(), [&] {
    tbb::task_group group;
    for (std::size_t i = 0; i < results.size(); ++i) group.run([&results, i] { results[i] = square(i); });
    group.wait();
  });
}

double run_parallel_for(std::vector<std::uint64_t>& results) {
  const auto each = [&results](const tbb::blocked_range<std::size_t>& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) results[i] = square(i);
  };
  // The simple partitioner really goes down to the grain; the default one stops when every worker is busy.
  return run_in_arena(results.size(), [&] {
    tbb::parallel_for(tbb::blocked_range<std::size_t>(0, results.size(), 1), each, tbb::simple_partitioner());
  });
}

}  // namespace

std::vector<Peer> tbb_peers(const Setting& setting) {
  const std::size_t tasks = setting.count(1'000'000);
  const std::string version = std::string("oneTBB ") + TBB_runtime_version();
  return {squares_peer("threads: oneTBB task_group", tasks, run_task_group, version),
          squares_peer("threads: oneTBB parallel_for, grain 1", tasks, run_parallel_for, version)};
}

}  // namespace bench
