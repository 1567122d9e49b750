// What else a program could hand tiny tasks to: the peers that the pools of Bulkhead are measured beside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// One way of getting tiny tasks done. `run` does a batch of them and returns nanoseconds per task; it throws
/// std::runtime_error where a result is wrong. Pools and threads are made before the clock starts.
struct Peer {
  std::string name;
  std::function<double()> run;
};

/// What every peer is measured with, so that all do the same: this many workers, and square() as the task.
inline constexpr std::size_t workers = 2;

/// The task: eight bytes in, eight bytes out. Not inlined, so that no peer's loop is turned into another.
std::uint64_t square(std::uint64_t x) noexcept;

/// Throws std::runtime_error naming `peer` unless results[i] == square(i) for every i.
void check_squares(const std::string& peer, const std::vector<std::uint64_t>& results);

/// Calls `work` once and returns its wall time divided by `tasks`, in nanoseconds.
double ns_per_task(std::size_t tasks, const std::function<void()>& work);

/// Pools of threads in one process: mutex and condition variable with futures, and oneTBB where it was found.
std::vector<Peer> thread_pool_peers();

/// multiprocessing.Pool.map with chunks of one and with its default chunks. `script` is pool_peer.py.
/// Says so on stderr and returns none where python3 is missing.
std::vector<Peer> python_peers(const std::string& script);

}  // namespace bench
