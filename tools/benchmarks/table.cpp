#include "table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace bench {
namespace {

using Json = nlohmann::ordered_json;

// Four digits that count, so that 13.9 and 131,000 can stand in one column.
std::string number(double value) {
  const double size = std::abs(value);
  return fmt::format("{:.{}f}", value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 4);
}

std::string spread(const Summary& summary) {
  return fmt::format("{:>10}  {:>10}  {:>10}", number(summary.median), number(summary.min), number(summary.max));
}

void print_goals(std::FILE* out, const Subject& subject, const std::vector<Row>& rows, std::size_t width) {
  if (subject.goals.empty()) return;
  fmt::print(out, "{:<{}}  {:>10}  {:>10}  {:>10}\n", "goals, compared round by round", width, "median", "min", "max");
  for (const Goal& goal : subject.goals) {
    const auto all = figures(goal, rows);
    const Summary summary = summarize(all.value_or(std::vector<double>{}));
    fmt::print(out, "{:<{}}  {}  {:<8} goal: {}: {}\n", goal.words, width,
               all ? spread(summary) : fmt::format("{:>34}", "no figure"), goal.unit, bound_in_words(goal),
               !all || !subject.judged     ? "not judged"
               : met(goal, summary.median) ? "met"
                                           : "missed");
  }
}

void put_spread(Json& json, const Summary& summary) {
  json["median"] = summary.median;
  json["min"] = summary.min;
  json["max"] = summary.max;
}

Json goal_json(const Goal& goal, bool judged, const std::vector<Row>& rows) {
  Json json{{"words", goal.words},
            {"bound", goal.bound == Goal::Bound::at_most ? "at most" : "at least"},
            {"value", goal.value},
            {"unit", goal.unit},
            {"met", nullptr}};
  if (const auto all = figures(goal, rows)) {
    const Summary summary = summarize(*all);
    put_spread(json, summary);
    if (judged) json["met"] = met(goal, summary.median);
  }
  return json;
}

}  // namespace

Summary summarize(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const std::size_t middle = samples.size() / 2;
  const double median = samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
  return {median, samples.front(), samples.back()};
}

void print_table(std::FILE* out, const Subject& subject, const std::vector<Row>& rows) {
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.name.size());
  for (const Goal& goal : subject.goals) width = std::max(width, goal.words.size());
  fmt::print(out, "{}: {}\n", subject.name, subject.title);
  fmt::print(out, "{:<{}}  {:>10}  {:>10}  {:>10}\n", "", width, "median", "min", "max");
  std::set<std::string> versions;
  for (const Row& row : rows) {
    if (!row.version.empty()) versions.insert(row.version);
    if (row.failed.empty())
      fmt::print(out, "{:<{}}  {}  {}\n", row.name, width, spread(summarize(row.samples)), row.unit);
    else
      fmt::print(out, "{:<{}}  FAILED: {}\n", row.name, width, row.failed);
  }
  print_goals(out, subject, rows, width);
  for (const std::string& word : subject.left_out) fmt::print(out, "left out: {}\n", word);
  const char* before = "versions: ";
  for (const std::string& version : versions) fmt::print(out, "{}{}", std::exchange(before, ", "), version);
  if (!versions.empty()) fmt::print(out, "\n");
}

std::string to_json(const Subject& subject, const std::vector<Row>& rows) {
  Json json{{"subject", subject.name}, {"title", subject.title}, {"rows", Json::array()}, {"goals", Json::array()}};
  for (const Row& row : rows) {
    Json& line = json["rows"].emplace_back(Json{{"name", row.name}, {"unit", row.unit}, {"version", row.version}});
    put_spread(line, summarize(row.samples));
    line["samples"] = row.samples;
    if (!row.failed.empty()) line["failed"] = row.failed;
  }
  for (const Goal& goal : subject.goals) json["goals"].push_back(goal_json(goal, subject.judged, rows));
  json["left_out"] = subject.left_out;
  return json.dump(2);
}

}  // namespace bench
