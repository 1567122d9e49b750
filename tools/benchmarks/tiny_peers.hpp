// What else a program could hand tiny tasks to. All do the same: square() for each of 0, 1, 2, ..., and every result is
// checked. Pools, threads and processes are made before the clock starts.
#pragma once

#include "peer.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// The task: eight bytes in, eight bytes out. Not inlined, so that no peer's loop is turned into another.
std::uint64_t square(std::uint64_t x) noexcept;

/// Throws std::runtime_error naming `peer` unless results[i] == square(i) for every i.
void check_squares(const std::string& peer, const std::vector<std::uint64_t>& results);

/// Calls `work` once and returns its wall time divided by `tasks`, in nanoseconds.
double ns_per_task(std::size_t tasks, const std::function<void()>& work);

/// A peer that is given a vector for its results, whose time is what `run` returns, in nanoseconds a task.
Peer squares_peer(std::string name, std::size_t tasks, std::function<double(std::vector<std::uint64_t>& results)> run,
                  std::string version = {});

/// The floor: worker processes that read descriptors from lanes they map read-only, note the one in hand in a page of
/// their own with a full fence before each task, compose results in an outbox and write it to a pipe in batches.
/// Everything a product adds is left out: no encoding, no outcomes, no checksums, no taking back, no deaths, one size,
/// result memory touched before the clock starts. A second one keeps a vector of outcomes as large as ours, and touches
/// their memory while the clock runs: what nobody that keeps them can go below.
std::vector<Peer> bare_lanes(const Setting& setting);

/// What nobody can go below that delivers a stream of isolated tasks: the lanes, with a process kept for replacements
/// and both workers made and ended while the clock runs, results in checked runs, and outcomes delivered in order. A
/// second one keeps them, in memory that is touched while the clock runs.
std::vector<Peer> bare_streams(const Setting& setting);

/// One queue, one lock, one condition variable and one future a task; the futures are kept.
Peer future_pool(const Setting& setting);

/// Boost.Asio's thread_pool: with a future a task, and without.
std::vector<Peer> asio_peers(const Setting& setting);

/// Processes fed through boost::interprocess::message_queue that answer through pipes: the pool one would write.
std::vector<Peer> message_queue_peers(const Setting& setting);

/// task_group with a task per item, and parallel_for that splits down to single items. Where oneTBB was found.
std::vector<Peer> tbb_peers(const Setting& setting);

/// Processes behind PUSH and PULL sockets. Where ZeroMQ was found.
Peer zmq_peer(const Setting& setting);

/// Python's pools of processes, those that are installed; what is not goes to `left_out` with the reason.
std::vector<Peer> python_peers(const Setting& setting, std::vector<std::string>& left_out);

}  // namespace bench
