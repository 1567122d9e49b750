#include "peers.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace bench {
namespace {

// The script starts the pool, times one map, checks every result and prints nanoseconds per task.
double run_script(const std::string& script, std::size_t tasks, std::size_t chunk) {
  const std::string command =
      "python3 '" + script + "' " + std::to_string(tasks) + " " + std::to_string(workers) + " " + std::to_string(chunk);
  std::FILE* output = ::popen(command.c_str(), "r");
  if (!output) throw std::runtime_error("cannot start " + command);
  double ns = 0;
  const bool read = std::fscanf(output, "%lf", &ns) == 1;
  const int status = ::pclose(output);
  if (!read || status != 0) throw std::runtime_error(command + " failed with status " + std::to_string(status));
  return ns;
}

}  // namespace

std::vector<Peer> python_peers(const std::string& script) {
  if (std::system("python3 -c 'import multiprocessing' >/dev/null 2>&1") != 0) {
    std::fprintf(stderr, "no python3 here: multiprocessing.Pool is left out\n");
    return {};
  }
  return {
      {"processes: Python multiprocessing.Pool.map, chunksize 1", [script] { return run_script(script, 20'000, 1); }},
      {"processes: ... default chunks, no outcome per item", [script] { return run_script(script, 500'000, 0); }}};
}

}  // namespace bench
