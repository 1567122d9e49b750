#include "tiny_peers.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

namespace bench {
namespace {

struct Script {
  const char *name, *pool;
  std::size_t tasks, chunk;
};

constexpr Script scripts[] = {
    {"processes: Python multiprocessing.Pool.map, chunksize 1", "multiprocessing", 20'000, 1},
    {"processes: ... default chunks, no outcome per item", "multiprocessing", 500'000, 0},
    {"processes: Python ProcessPoolExecutor.map, chunksize 1", "executor", 5'000, 1},
    {"processes: ... chunksize 10000, no outcome per item", "executor", 500'000, 10'000},
    {"processes: Pebble ProcessPool.map, chunksize 1", "pebble", 10'000, 1},
    {"processes: ... chunksize 10000, no outcome per item", "pebble", 500'000, 10'000},
    {"processes: joblib with loky, batches of 1", "joblib", 3'000, 1},
    {"processes: ... batches of 10000", "joblib", 200'000, 10'000},
};

// Debian's packages belong to Debian's Python, whatever else comes first in the PATH.
std::string python() { return ::access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3" : "python3"; }

struct Said {
  std::string line;
  int status;  // as pclose() has it
};

Said ask(const std::string& words) {
  const std::string command = python() + " '" BULKHEAD_BENCH_DIR "/pool_peer.py' " + words;
  std::FILE* output = ::popen(command.c_str(), "r");
  if (!output) throw std::runtime_error("cannot start " + command);
  char line[200] = "";
  const bool read = std::fgets(line, sizeof line, output) != nullptr;
  const int status = ::pclose(output);
  std::string said = read ? line : "";
  if (said.ends_with('\n')) said.pop_back();
  return {said, status};
}

double run(const std::string& words) {
  const Said said = ask(words);
  if (said.status != 0 || said.line.empty())
    throw std::runtime_error("pool_peer.py " + words + " failed with status " + std::to_string(said.status));
  return std::stod(said.line);
}

}  // namespace

std::vector<Peer> python_peers(const Setting& setting, std::vector<std::string>& left_out) {
  std::vector<Peer> peers;
  std::string family;
  for (const Script& script : scripts) {
    std::string name = script.name;
    if (const std::size_t dots = name.find("..."); dots == std::string::npos)
      family = name.substr(0, name.find(','));
    else
      name = family + "," + name.substr(dots + 3);
    const Said version = ask(script.pool);
    if (version.status != 0) {
      left_out.push_back(name + ": not installed for " + python());
      continue;
    }
    const std::string words = std::string(script.pool) + ' ' + std::to_string(setting.count(script.tasks, 500)) + ' ' +
                              std::to_string(workers) + ' ' + std::to_string(script.chunk);
    peers.push_back(one_figure(
        name, "ns a task", [words] { return run(words); }, version.line));
  }
  return peers;
}

}  // namespace bench
