// What a figure should come to. A goal is printed with its figure and never fails anything.
#pragma once

#include "peer.hpp"

#include <optional>
#include <string>
#include <vector>

namespace bench {

/// `row`, compared with `beside` round by round: peers of one round met the same machine. The median decides.
struct Goal {
  enum class Compare { alone, times, percent, difference };
  enum class Bound { at_most, at_least };

  std::string words;
  std::string row;                   ///< by name
  Compare compare = Compare::alone;  ///< with `beside`: row / beside, 100 row / beside, or row - beside
  std::string beside{};              ///< by name
  Bound bound = Bound::at_most;
  double value = 0;
  std::string unit = "x";
};

/// The figure round by round; nullopt where a row is missing or has no samples.
std::optional<std::vector<double>> figures(const Goal& goal, const std::vector<Row>& rows);

/// Whether the median figure keeps the goal.
bool met(const Goal& goal, double median);

/// "at most 3 x"
std::string bound_in_words(const Goal& goal);

}  // namespace bench
