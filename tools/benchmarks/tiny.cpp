// What it costs to have a tiny task done elsewhere: eight bytes in, eight bytes out, two workers; Bulkhead beside the
// floor it stands on and beside what else a program could use.
#include "subject.hpp"
#include "tiny_peers.hpp"

#include <bulkhead/work.hpp>

#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using bulkhead::do_process_work, bulkhead::do_threaded_work, bulkhead::process_stream, bulkhead::threaded_stream;

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

constexpr const char* stream = "bulkhead process_stream, in order";
constexpr const char* floor = "bare lanes as a stream: made, checked, in order, ended";
constexpr const char* floor_kept = "bare lanes as a stream, outcomes kept";
constexpr const char* kept = "bulkhead do_process_work, outcomes kept";
constexpr const char* threaded = "bulkhead do_threaded_work, outcomes kept";

std::vector<bench::Peer> ours(const bench::Setting& setting) {
  using bench::square;
  const std::size_t n = setting.count(2'000'000);
  const auto peer = [](const char* name, auto run) { return bench::one_figure(name, "ns a task", run); };
  return {peer(stream, [=] { return drain(stream, n, [=] { return process_stream(items(n), square, two_workers); }); }),
          peer(kept, [=] { return collect(kept, n, [=] { return do_process_work(items(n), square, two_workers); }); }),
          peer(threaded,
               [=] { return collect(threaded, n, [=] { return do_threaded_work(items(n), square, two_workers); }); }),
          peer("bulkhead threaded_stream, in order", [=] {
            return drain("threaded_stream", n, [=] { return threaded_stream(items(n), square, two_workers); });
          })};
}

std::vector<bench::Goal> goals() {
  using enum bench::Goal::Bound;
  constexpr auto times = bench::Goal::Compare::times;
  const char* const pool = "processes: Python multiprocessing.Pool.map";
  return {
      {"process_stream / bare lanes", stream, times, "bare lanes, no library (the floor)", at_most, 3},
      {"process_stream / bare stream", stream, times, floor, at_most, 1.25},
      {"oneTBB task_group / process_stream", "threads: oneTBB task_group", times, stream, at_least, 10},
      {"oneTBB task_group / bare stream: what can be had", "threads: oneTBB task_group", times, floor, at_least, 10},
      {"Pool.map, chunksize 1 / process_stream", std::string(pool) + ", chunksize 1", times, stream, at_least, 600},
      {"Pool.map, default chunks / process_stream", std::string(pool) + ", default chunks, no outcome per item", times,
       stream, at_least, 7},
      {"Pool.map, default chunks / bare stream: what can be had",
       std::string(pool) + ", default chunks, no outcome per item", times, floor, at_least, 7},
      {"mutex and futures / do_process_work", "threads: mutex, condition variable, futures kept", times, kept, at_least,
       40},
      {"do_process_work / bare stream that keeps outcomes", kept, times, floor_kept, at_most, 1.25},
      {"mutex and futures / bare stream that keeps outcomes: what can be had",
       "threads: mutex, condition variable, futures kept", times, floor_kept, at_least, 40},
      {"do_threaded_work / do_process_work", threaded, times, kept, at_most, 1}};
}

bench::Subject tiny(const bench::Setting& setting) {
  bench::Subject subject{"tiny", "a task of 8 bytes each way, two workers", {}, goals()};
  subject.add(bench::bare_lanes(setting));
  subject.add(bench::bare_streams(setting));
  subject.add(ours(setting));
  subject.add({bench::future_pool(setting)});
  subject.add(bench::asio_peers(setting));
#ifdef BULKHEAD_HAS_TBB
  subject.add(bench::tbb_peers(setting));
#else
  subject.left_out.push_back("oneTBB: not found when this was built (libtbb-dev)");
#endif
  subject.add(bench::message_queue_peers(setting));
#ifdef BULKHEAD_HAS_ZMQ
  subject.add({bench::zmq_peer(setting)});
#else
  subject.left_out.push_back("ZeroMQ: not found when this was built (libzmq3-dev)");
#endif
  subject.add(bench::python_peers(setting, subject.left_out));
  return subject;
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, tiny); }
