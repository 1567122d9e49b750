// The life of the fork server, in its own process: take orders, fork, reap, end what was left, report.
#pragma once

#include "os/child.hpp"
#include "os/descendants.hpp"
#include "os/descriptor_socket.hpp"
#include "os/out_of_memory_rank.hpp"
#include "os/poller.hpp"
#include "process/fork_server.hpp"

#include <deque>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace bulkhead::process {

class ForkServerLoop {
 public:
  ForkServerLoop(const ForkServer::Life& life, os::DescriptorSocket socket, std::vector<int> kept, os::Fd host,
                 bool crash_notes);
  [[noreturn]] void run();

 private:
  void take_orders();
  void obey(const Order& order, std::vector<os::Fd> descriptors);
  void fork_worker(const Order& order, std::vector<os::Fd> descriptors);
  os::Child fork_from(const Order& order, std::span<os::Fd> descriptors);
  void take_on(std::uint64_t worker, os::Child child);
  void reap(std::uint64_t worker);
  void report(const Report& report, os::Fd pidfd = {});
  void send_reports();
  [[noreturn]] void end_everything() noexcept;

  const ForkServer::Life& life_;
  const std::string name_;  // of the program
  os::DescriptorSocket socket_;
  os::Poller poller_;
  os::Fd host_;  // readable when the coordinator's process has ended
  const os::OwnChildren children_;
  const os::OutOfMemoryRank out_of_memory_rank_;
  std::map<std::uint64_t, os::Child> workers_;
  bool leaving_ = false;
  std::deque<std::pair<Report, os::Fd>> unsent_;  // while the coordinator is busy elsewhere, or stopped
};

}  // namespace bulkhead::process
