// What it costs to have a tiny task done elsewhere: eight bytes in, eight bytes out, two workers; Bulkhead beside the
// floor it stands on and beside what else a program could use. Usage: per_task [ROUNDS [results.json]]
#include "bare_lanes.hpp"
#include "table.hpp"

#include <bulkhead/work.hpp>

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::size_t tasks = 2'000'000;
const bulkhead::WorkOptions two_workers{.num_workers = bench::workers};

auto items(std::size_t count) { return std::views::iota(std::uint64_t{0}, std::uint64_t{count}); }

// Workers are started and ended within the time, as they are for a user.
template <class Stream>
double drain(const char* name, std::size_t count, Stream&& make) {
  std::uint64_t right = 0, next = 0;
  const double ns = bench::ns_per_task(count, [&] {
    for (auto& [index, outcome] : make()) {
      right += outcome && *outcome == bench::square(index) && index == next;
      ++next;
    }
  });
  if (right != count) throw std::runtime_error(std::string(name) + ": wrong, missing or out of order");
  return ns;
}

template <class Work>
double collect(const char* name, std::size_t count, Work&& work) {
  std::vector<bulkhead::Outcome<std::uint64_t>> outcomes;
  const double ns = bench::ns_per_task(count, [&] { outcomes = work(); });
  for (std::size_t i = 0; i < count; ++i)
    if (!outcomes[i] || *outcomes[i] != bench::square(i)) throw std::runtime_error(std::string(name) + ": wrong");
  return ns;
}

std::vector<bench::Peer> ours() {
  return {{"bulkhead process_stream, in order",
           [] {
             return drain("process_stream", tasks,
                          [] { return bulkhead::process_stream(items(tasks), bench::square, two_workers); });
           }},
          {"bulkhead do_process_work, outcomes kept",
           [] {
             return collect("do_process_work", tasks,
                            [] { return bulkhead::do_process_work(items(tasks), bench::square, two_workers); });
           }},
          {"bulkhead do_threaded_work, outcomes kept",
           [] {
             return collect("do_threaded_work", tasks,
                            [] { return bulkhead::do_threaded_work(items(tasks), bench::square, two_workers); });
           }},
          {"bulkhead threaded_stream, in order", [] {
             return drain("threaded_stream", tasks,
                          [] { return bulkhead::threaded_stream(items(tasks), bench::square, two_workers); });
           }}};
}

void print_machine() {
  utsname machine{};
  ::uname(&machine);
  std::string cpu = "unknown processor";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) {
      cpu = line.substr(line.find(':') + 2);
      break;
    }
  std::printf("%s, %zu usable cores, Linux %s, g++ %s\n", cpu.c_str(), bulkhead::usable_cores(), machine.release,
              __VERSION__);
}

const bench::Row& row_named(const std::vector<bench::Row>& rows, const std::string& start) {
  return *std::find_if(rows.begin(), rows.end(), [&](const bench::Row& row) { return row.name.starts_with(start); });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::size_t rounds = argc > 1 ? std::stoul(argv[1]) : 5;
    std::vector<bench::Peer> peers{bench::bare_lanes(tasks)};
    for (auto group : {ours(), bench::thread_pool_peers(), bench::python_peers(BULKHEAD_BENCH_DIR "/pool_peer.py")})
      for (auto& peer : group) peers.push_back(std::move(peer));
    print_machine();
    const auto rows = bench::run_in_turns(peers, rounds);
    bench::print_table(stdout, rows, "ns a task");
    const double floor = bench::summarize(rows.front()).median;
    const double stream = bench::summarize(row_named(rows, "bulkhead process_stream")).median;
    std::printf("process_stream is %.1f x the bare lanes of this run\n", stream / floor);
    if (argc > 2) std::ofstream(argv[2]) << bench::to_json(rows, "ns a task") << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "per_task: %s\n", error.what());
    return 1;
  }
}
