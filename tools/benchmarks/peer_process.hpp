// A process for each peer, so that none pays for what another leaves in its process: memory that no allocator gives
// back, threads that stay. Forks are what that makes dearer, by as much as 20 ns of each of two million tasks.
#pragma once

#include "child.hpp"
#include "peer.hpp"

#include <vector>

namespace bench {

/// Is forked from a process that has measured nothing, and lives as long as this.
class PeerProcess {
 public:
  explicit PeerProcess(const Peer& peer);
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  /// Runs the peer there once more. What it throws comes out here, as std::runtime_error; so does its death.
  std::vector<double> run();

 private:
  Children child_;
  int go_ = -1, said_ = -1;
};

}  // namespace bench
