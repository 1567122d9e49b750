#include "table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace bench {

std::vector<Row> run_in_turns(const std::vector<Peer>& peers, std::size_t rounds) {
  std::vector<Row> rows;
  for (const Peer& peer : peers) rows.push_back({peer.name, {}});
  for (std::size_t round = 0; round <= rounds; ++round) {
    fmt::print(stderr, "round {} of {}\n", round, rounds);  // round 0 warms up
    for (std::size_t i = 0; i < peers.size(); ++i) {
      const double sample = peers[i].run();
      if (round > 0) rows[i].samples.push_back(sample);
    }
  }
  return rows;
}

Summary summarize(const Row& row) {
  if (row.samples.empty()) return {};
  std::vector<double> sorted = row.samples;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  const double median = sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return {median, sorted.front(), sorted.back()};
}

void print_table(std::FILE* out, const std::vector<Row>& rows, const std::string& unit) {
  std::size_t width = unit.size();
  for (const Row& row : rows) width = std::max(width, row.name.size());
  fmt::print(out, "{:<{}}  {:>10}  {:>10}  {:>10}\n", unit, width, "median", "min", "max");
  for (const Row& row : rows) {
    const Summary summary = summarize(row);
    fmt::print(out, "{:<{}}  {:>10.1f}  {:>10.1f}  {:>10.1f}\n", row.name, width, summary.median, summary.min,
               summary.max);
  }
}

std::string to_json(const std::vector<Row>& rows, const std::string& unit) {
  nlohmann::ordered_json json{{"unit", unit}, {"rows", nlohmann::ordered_json::array()}};
  for (const Row& row : rows) {
    const Summary summary = summarize(row);
    json["rows"].push_back({{"name", row.name},
                            {"median", summary.median},
                            {"min", summary.min},
                            {"max", summary.max},
                            {"samples", row.samples}});
  }
  return json.dump(2);
}

}  // namespace bench
