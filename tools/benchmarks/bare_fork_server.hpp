// The floor of surviving crashes: what the kernel takes when every worker that dies is told of, taken note of and
// replaced, by a process that is there to fork, and nothing else of Bulkhead.
#pragma once

#include "child.hpp"

#include <sched.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// Coordinator -> socket -> fork server -> worker, which maps its memory, says by its pipe that it is there, waits to
/// be admitted and ends itself; the fork server reaps it and says so; the coordinator takes in what is left. It asks of
/// the kernel what the promises need: a worker ends with its coordinator (a lifeline), and with it what it started (a
/// group, a subreaper, a list of children); its own children have none of its memory; it goes first where memory is
/// short; and of a crash the frames are noted. Of who died it is read what was in his hands, and of a SIGKILL whether
/// memory had run out.
class BareForkServer {
 public:
  /// Workers end by `signal`. `on_one_core`: the fork server stays on the core where it starts; workers are born there,
  /// and may run anywhere then. Under a hypervisor that keeps shadow page tables, two cores at page tables at once are
  /// slower than one.
  BareForkServer(std::size_t slots, int signal, bool on_one_core);
  ~BareForkServer();
  BareForkServer(const BareForkServer&) = delete;
  BareForkServer& operator=(const BareForkServer&) = delete;

  /// Has so many workers die, one a slot at a time. Throws std::runtime_error where one ends otherwise.
  void run(std::size_t deaths);

 private:
  struct Slot {
    int pipe = -1, pidfd = -1, lifeline = -1;
    std::uint32_t pid = 0;
    void* mapped = nullptr;
    bool dead = false, told = false;
  };
  struct Message {
    std::uint32_t slot = 0;
    std::uint32_t word = 0;  // of a birth the process' number, of an end its status
    bool ended = false;
  };

  using Given = std::array<int, 3>;  // memory, pipe and lifeline

  void serve();
  void stay_here();
  void fork_worker(std::uint32_t slot, const Given& given);
  [[noreturn]] void work(std::uint32_t slot, const Given& given);
  void reap(std::uint32_t slot);

  void ask_for_worker(std::uint32_t slot);
  void hear();
  void take_in(std::uint32_t slot);
  void note_death(Slot& slot) const;
  void judge(const Slot& slot) const;
  void watch(int poller, int fd, std::uint32_t key) const;
  std::atomic<std::uint32_t>& lane_of(std::uint32_t slot) const;

  int signal_;
  bool on_one_core_;
  int lanes_ = -1;
  void* mapped_lanes_ = nullptr;  // a page for each slot, which its worker waits on
  std::array<int, 2> socket_{-1, -1};
  int poller_ = -1;
  int kills_for_memory_ = -1;
  cpu_set_t cores_{};              // where a worker may run once it is born, on the fork server's core
  int children_ = -1, rank_ = -1;  // the fork server's, of /proc/self
  std::vector<Slot> slots_;        // the coordinator's, and a copy that the fork server has for itself
  std::vector<pid_t> pids_;        // the fork server's
  Children server_;
};

}  // namespace bench
