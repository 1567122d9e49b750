// What is measured: peers, each of them one way of doing a subject's work, and the rows that their figures go to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// A line of the table: one figure a round. `failed` holds the words of whatever ended the peer early.
struct Row {
  std::string name, unit;
  std::string version{};
  std::vector<double> samples{};
  std::string failed{};
};

/// One way of getting the work done. `run` does it once, checks every result and returns one figure for each row; it
/// throws std::runtime_error where a result is wrong.
struct Peer {
  std::vector<Row> rows;
  std::function<std::vector<double>()> run;
};

/// A peer with one figure. `version` is printed below the table, unless it is empty.
Peer one_figure(std::string name, std::string unit, std::function<double()> run, std::string version = {});

/// How a subject is to be measured, from its command line.
struct Setting {
  std::size_t rounds = 5;           ///< that count; one to warm up comes before them, unless it is quick
  bool quick = false;               ///< a hundredth of the work: shows that everything runs, measures nothing
  std::string json{};               ///< the file for the figures; empty: none
  std::vector<std::string> only{};  ///< peers run whose names contain one of these; empty: all

  /// `full`, or a hundredth of it (at least `least`) when it must be quick.
  std::size_t count(std::size_t full, std::size_t least = 10) const {
    return !quick ? full : full / 100 > least ? full / 100 : least < full ? least : full;
  }
};

/// Every peer is measured with so many workers.
inline constexpr std::size_t workers = 2;

/// Wall time of one call, in seconds.
double seconds(const std::function<void()>& work);

/// CLOCK_MONOTONIC in nanoseconds: comparable between the processes of a machine.
std::uint64_t monotonic_ns();

}  // namespace bench
