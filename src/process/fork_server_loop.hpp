// The life of the fork server, in its own process: take orders, fork, reap, end what was left, report.
#pragma once

#include "os/child.hpp"
#include "os/cores.hpp"
#include "os/descendants.hpp"
#include "os/descriptor_socket.hpp"
#include "os/out_of_memory_rank.hpp"
#include "os/poller.hpp"
#include "process/fork_server.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory_resource>
#include <optional>
#include <vector>

namespace bulkhead::process {

/// From one fork to the next it allocates nothing and stores to few pages: each that it does store to is copied, since
/// a worker has it too, and that takes longer than most of what is done here.
class ForkServerLoop {
 public:
  ForkServerLoop(const Life& life, os::DescriptorSocket socket, std::vector<int> kept, os::Fd host, bool crash_notes);
  [[noreturn]] void run();

 private:
  struct Numbered {
    std::uint64_t number = 0;
    os::Child child{};
    os::Fd
        pipe{};  // of its results: closed by its death, it would wake the coordinator before there is anything to know
  };
  using Workers = std::pmr::vector<Numbered>;

  void take_order();
  void obey(const Order& order, os::Descriptors& descriptors);
  void fork_worker(const Order& order, os::Descriptors& descriptors);
  os::Child fork_from(const Order& order, os::Descriptors& descriptors);
  void take_on(const Order& order, os::Child child, os::Fd pipe);
  void reap(std::uint64_t worker);
  Workers::iterator worker_numbered(std::uint64_t number) noexcept;
  std::size_t end_what_is_left();
  void tell_birth();
  void report(const Report& report, const os::Fd& pidfd = {});
  bool send(const Report& report, const os::Fd& pidfd) noexcept;
  void send_reports();
  [[noreturn]] void end_everything() noexcept;

  const Life life_;
  const os::ProcessName name_;  // of the program
  os::DescriptorSocket socket_;
  os::Poller poller_;
  os::Fd host_;  // readable when the coordinator's process has ended
  const os::OutOfMemoryRank out_of_memory_rank_;
  os::CorePin pin_;
  std::array<std::byte, 16 * sizeof(Numbered)> room_for_few_{};
  std::pmr::monotonic_buffer_resource in_place_{room_for_few_.data(), room_for_few_.size(),
                                                std::pmr::new_delete_resource()};  // no lock of the host's
  Workers workers_{&in_place_};
  std::optional<std::uint64_t> untold_;  // a worker whose birth is told with what comes next
  bool leaving_ = false;
  std::deque<std::pair<Report, os::Fd>> unsent_;  // while the coordinator is busy elsewhere, or stopped
  const os::OwnChildren children_;
};

}  // namespace bulkhead::process
