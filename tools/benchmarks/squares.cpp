#include "tiny_peers.hpp"

#include <stdexcept>
#include <utility>

namespace bench {

[[gnu::noinline]] std::uint64_t square(std::uint64_t x) noexcept { return x * x; }

void check_squares(const std::string& peer, const std::vector<std::uint64_t>& results) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i] != square(i))
      throw std::runtime_error(peer + ": the result of task " + std::to_string(i) + " is wrong");
  }
}

double ns_per_task(std::size_t tasks, const std::function<void()>& work) {
  return seconds(work) * 1e9 / static_cast<double>(tasks);
}

Peer squares_peer(std::string name, std::size_t tasks, std::function<double(std::vector<std::uint64_t>&)> run,
                  std::string version) {
  auto measure = [name, tasks, run = std::move(run)] {
    std::vector<std::uint64_t> results(tasks);
    const double ns = run(results);
    check_squares(name, results);
    return ns;
  };
  return one_figure(std::move(name), "ns a task", std::move(measure), std::move(version));
}

}  // namespace bench
