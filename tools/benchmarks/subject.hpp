// A subject of measurement: its peers take turns within each round, so that a disturbance meets all of them.
#pragma once

#include "goal.hpp"
#include "peer.hpp"

#include <functional>
#include <string>
#include <vector>

namespace bench {

struct Subject {
  std::string name, title;
  std::vector<Peer> peers{};
  std::vector<Goal> goals{};
  std::vector<std::string> left_out{};  ///< peers that are not to be had here, with the reason
  bool judged = true;                   ///< false: too quick for goals to mean anything

  void add(std::vector<Peer> more);
};

/// Runs every peer once a round, in turns, after one round that does not count. Says on stderr which round runs. A peer
/// that throws is not run again, and its rows say why.
std::vector<Row> run_in_turns(const std::vector<Peer>& peers, const Setting& setting);

/// The whole program of a subject: reads [--rounds N] [--only PART]... [--quick] [--json FILE]
/// (tools/bench says what they mean), measures, prints. Returns the exit
/// status: 0, 1 where a peer failed or a result was wrong, 2 for a command line that cannot be meant.
int subject_main(int argc, char** argv, const std::function<Subject(const Setting&)>& make);

}  // namespace bench
