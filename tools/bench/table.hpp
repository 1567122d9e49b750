// Measured side by side: peers take turns within each round, so that a disturbance of the machine meets all of them.
#pragma once

#include "peers.hpp"

#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

namespace bench {

/// A peer's name and one figure a round.
struct Row {
  std::string name;
  std::vector<double> samples;
};

struct Summary {
  double median = 0, min = 0, max = 0;
};

/// Runs every peer once a round, in turns, after one round that does not count. Says on stderr which round runs.
std::vector<Row> run_in_turns(const std::vector<Peer>& peers, std::size_t rounds);

/// Of a row's samples; the median of an even number is the mean of the middle two. All 0 without samples.
Summary summarize(const Row& row);

/// One line a row, in the order given: median, min, max. `unit` heads the columns, as in "ns a task".
void print_table(std::FILE* out, const std::vector<Row>& rows, const std::string& unit);

/// {"unit": ..., "rows": [{"name": ..., "median": ..., "min": ..., "max": ..., "samples": [...]}, ...]}
std::string to_json(const std::vector<Row>& rows, const std::string& unit);

}  // namespace bench
