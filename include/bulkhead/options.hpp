// The one struct of settings that both executors read, checked at the door.
#pragma once

#include <bulkhead/event.hpp>
#include <bulkhead/outcome.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <stop_token>
#include <string>
#include <vector>

namespace bulkhead {

/// A set of endings, as in `RetryPolicy{.max_retries = 2, .on = {Ending::crashed, Ending::timed_out}}`.
class EndingSet {
 public:
  constexpr EndingSet() = default;
  constexpr EndingSet(std::initializer_list<Ending> endings) {
    for (Ending e : endings) bits_ |= bit(e);
  }
  constexpr bool contains(Ending e) const noexcept { return (bits_ & bit(e)) != 0; }
  friend constexpr bool operator==(EndingSet, EndingSet) = default;

 private:
  static constexpr std::uint32_t bit(Ending e) noexcept { return 1u << static_cast<unsigned>(e); }
  std::uint32_t bits_ = 0;
};

/// When a task that failed is tried again. Delays grow as delay, 2 x delay, 4 x delay, ... up to max_delay.
struct RetryPolicy {
  unsigned max_retries = 0;                ///< extra attempts; 0: none
  std::chrono::milliseconds delay{0};      ///< before the first extra attempt
  std::chrono::milliseconds max_delay{0};  ///< 0: no cap but one minute
  EndingSet on{Ending::exception, Ending::exited,        Ending::crashed,
               Ending::timed_out, Ending::out_of_memory, Ending::limit_exceeded};
  /// Extra attempts after running out of memory: a budget of their own, which the others do not use up. While it is
  /// used fewer tasks run at once. `as_max_retries`: as many as max_retries, counted together.
  unsigned max_oom_retries = as_max_retries;
  static constexpr unsigned as_max_retries = std::numeric_limits<unsigned>::max();
};

/// When to stop replacing workers that die without a task in hand (at birth, in `worker_init`).
/// A task that crashes its worker never counts. A SIGKILL that was not ours counts a tenth: somebody else may be at
/// work.
struct RespawnPolicy {
  unsigned limit = 10;  ///< deaths within `period` that are still replaced
  std::chrono::milliseconds period{10'000};
};

/// How strongly a worker is kept from the rest of the machine.
enum class Isolation : std::uint8_t {
  contained,  ///< against bugs: address space, read-only queue, own process group, whole trees ended
  pid,        ///< contained, and the kernel ends whole trees: the workers live in a pid namespace, which ends with the
              ///< coordinator or with the fork server, however these end. Tasks see other process ids than the caller.
              ///< std::system_error where the kernel refuses, with the remedy (SECURITY.md)
  strict,     ///< against malice as well: no new processes, no signals and no tracing, files read-only (SECURITY.md).
              ///< std::system_error where the kernel has no system call filters; what else it lacks is an event
};

/// Settings of do_threaded_work, do_process_work, the streams and ProcessPool.
///
/// Checked when the work is started: a setting that cannot be meant, or that the executor cannot honour, throws
/// std::invalid_argument naming the field. Plain data: copying it is the only thread safety it needs.
///
/// With processes one more than num_workers may stand by once a worker has ended: the successor of the next, forked
/// ahead. It runs nothing of the user's, worker_init neither, before it takes that place. While all workers die young
/// there is one only where the run finds that faster; with Isolation::pid always.
struct WorkOptions {
  std::size_t num_workers = 0;  ///< 0: processes: the usable cores; threads: one per item, at most max_default_threads
  bool preserve_result_ordering = true;  ///< results in the order of the items; false: in the order they end
  std::chrono::milliseconds per_sync_timeout{1000};  ///< threads: one wait on a queue; processes: the longest the
                                                     ///< coordinator waits for any one event before it looks round
  std::chrono::milliseconds task_timeout{0};         ///< per attempt, from its start; 0: none. Processes only
  std::chrono::milliseconds kill_grace{2000};        ///< from TERM to KILL
  std::chrono::milliseconds init_timeout{0};         ///< for worker_init; 0: none. The run is given up when it was
                                                     ///< too slow twice in a row. Processes only
  /// Bytes of private memory beyond what the worker inherits (RLIMIT_DATA: heap, stacks of threads, private mappings);
  /// 0: none. A task that lets std::bad_alloc out, or dies after an allocation by `new` was refused, is
  /// `out_of_memory`; what becomes of malloc() that returns null is the task's own.
  std::uint64_t memory_limit = 0;
  RetryPolicy retry{};
  RespawnPolicy respawn{};
  std::size_t max_tasks_per_worker = 0;  ///< a fresh worker after so many tasks, or up to an eighth fewer, so that not
                                         ///< all are renewed at once; 0: never
  std::uint64_t max_item_bytes = 64u << 20, max_result_bytes = 64u << 20;  ///< encoded; larger: too_large
  std::chrono::milliseconds cpu_time{0};  ///< processor time of one attempt, all threads of the worker, without the
                                          ///< processes it starts; looked at every 20 ms or more often; 0: no limit
  std::uint64_t file_size = 0;            ///< bytes, of any file a task writes; 0: no limit
  unsigned open_files = 0;                ///< descriptors that a worker may have, the inherited included; 0: no limit
  std::size_t stderr_tail = 0;  ///< bytes of what a worker wrote to standard error last that the failure of a task it
                                ///< died in carries; everything is passed on as well. 0: workers write to the program's
                                ///< standard error themselves. Processes only
  bool crash_notes = true;  ///< workers handle the signals of crashes, unless somebody does already, to note where they
                            ///< were. The signal still ends them. Processes only
  /// This process forks the first worker itself, when that has its first task, and a fork server only when another
  /// worker is wanted, be it in the place of that one: what wants no other starts and ends sooner. Each worker sees the
  /// memory of this process as it was when it, or its server, was forked. For tasks that are programs: run_command()
  /// with owns_children, in workers that start no threads. What other tasks start may outlive a sudden end of this
  /// process, and Ctrl-Z stops their worker instead of what is below it. The run has this process' children to itself:
  /// meanwhile start none, wait for none, and have no second run. Whatever that worker leaves becomes a child of this
  /// process (PR_SET_CHILD_SUBREAPER, for good), and all children that are no workers are killed when a worker is
  /// reaped here, and when the run ends. An ignored SIGCHLD has its default action while that worker lives. Without
  /// effect with Isolation::pid, in a worker, in process 1, in one that has children when the run is made, and for
  /// ProcessPool. Processes only; threads do not look at it
  bool first_worker_directly = false;
  Isolation isolation = Isolation::contained;
  std::vector<std::string> writable_paths{};  ///< strict: files, or directories with all below, that tasks may write
  std::function<void()> worker_init{}, worker_exit{};  ///< run in each worker before its first and after its last task
  std::stop_token stop{};                              ///< stop requested: start nothing more, end what runs
  std::stop_token drain{};  ///< stop requested: start nothing more, what runs comes to its end, and what was not
                            ///< started ends as cancelled, also what a worker held already. Processes only
  std::function<void(const Event&)> on_event{};  ///< called in the thread that drives the work
  std::size_t prefetch = automatic;  ///< tasks a worker holds beyond the one in hand; 0: no task is dealt before the
                                     ///< one before it has been settled; automatic: by the time they take
                                     ///< and by the size of their items

  static constexpr std::size_t automatic = std::numeric_limits<std::size_t>::max();
};

/// The cap on threads that are started because num_workers was left at 0.
inline constexpr std::size_t max_default_threads = 64;

/// The cores this process may use: its affinity mask, cut by the cgroup's CPU quota (rounded up). At least 1.
std::size_t usable_cores() noexcept;

}  // namespace bulkhead
