// How a subject's figures are shown: a table for people, JSON for programs.
#pragma once

#include "subject.hpp"

#include <cstdio>
#include <string>
#include <vector>

namespace bench {

struct Summary {
  double median = 0, min = 0, max = 0;
};

/// The median of an even number is the mean of the middle two. All 0 without samples.
Summary summarize(std::vector<double> samples);

/// One line a row, in the order given, with median, min and max; then what was left out, versions, and the goals.
void print_table(std::FILE* out, const Subject& subject, const std::vector<Row>& rows);

/// {"subject", "title", "rows": [{"name", "unit", "version", "median", "min", "max", "samples", "failed"}],
///  "goals": [{"words", "bound", "value", "unit", "median", "min", "max", "met"}], "left_out": [...]}
std::string to_json(const Subject& subject, const std::vector<Row>& rows);

}  // namespace bench
