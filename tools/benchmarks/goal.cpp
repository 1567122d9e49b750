#include "goal.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace bench {
namespace {

const Row* find(const std::vector<Row>& rows, const std::string& name) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; });
  return found == rows.end() || found->samples.empty() ? nullptr : &*found;
}

double compare(Goal::Compare how, double figure, double beside) {
  switch (how) {
    case Goal::Compare::times:
      return figure / beside;
    case Goal::Compare::percent:
      return 100 * figure / beside;
    case Goal::Compare::difference:
      return figure - beside;
    case Goal::Compare::alone:
      break;
  }
  return figure;
}

}  // namespace

std::optional<std::vector<double>> figures(const Goal& goal, const std::vector<Row>& rows) {
  const Row* const row = find(rows, goal.row);
  if (!row) return std::nullopt;
  if (goal.compare == Goal::Compare::alone) return row->samples;
  const Row* const beside = find(rows, goal.beside);
  if (!beside) return std::nullopt;
  std::vector<double> all;
  for (std::size_t i = 0; i < std::min(row->samples.size(), beside->samples.size()); ++i)
    all.push_back(compare(goal.compare, row->samples[i], beside->samples[i]));
  return all;
}

bool met(const Goal& goal, double median) {
  return goal.bound == Goal::Bound::at_most ? median <= goal.value : median >= goal.value;
}

std::string bound_in_words(const Goal& goal) {
  return fmt::format("{} {:g} {}", goal.bound == Goal::Bound::at_most ? "at most" : "at least", goal.value, goal.unit);
}

}  // namespace bench
