#include "peer_process.hpp"

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace bench {
namespace {

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe failed");
  return ends;
}

void serve(const Peer& peer, int go, int say) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (char one = 0; ::read(go, &one, 1) == 1;) {
    ::malloc_trim(0);
    send_answer(say, peer.run);
  }
}

}  // namespace

PeerProcess::PeerProcess(const Peer& peer) {
  const auto go = make_pipe(), said = make_pipe();
  child_.start([&] {
    ::close(go[1]);
    ::close(said[0]);
    serve(peer, go[0], said[1]);
  });
  ::close(go[0]);
  ::close(said[1]);
  go_ = go[1];
  said_ = said[0];
}

PeerProcess::~PeerProcess() {
  ::close(go_);
  ::close(said_);
}

std::vector<double> PeerProcess::run() {
  if (::write(go_, "", 1) != 1) throw std::runtime_error("a process of the measurement died");
  return receive_answer(said_);
}

}  // namespace bench
