#include "subject.hpp"

#include "peer_process.hpp"
#include "table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace bench {
namespace {

struct BadUsage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Setting read_setting(int argc, char** argv) {
  Setting setting;
  std::size_t rounds = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--quick") {
      setting.quick = true;
    } else if (word == "--json" && has_value) {
      setting.json = argv[++i];
    } else if (word == "--only" && has_value) {
      setting.only.emplace_back(argv[++i]);
    } else if (word == "--rounds" && has_value && std::atoi(argv[i + 1]) > 0) {
      rounds = static_cast<std::size_t>(std::atoi(argv[++i]));
    } else {
      throw BadUsage(
          fmt::format("cannot make sense of \"{}\"\nusage: {} [--rounds N] [--only PART]... [--quick] [--json FILE]",
                      word, argv[0]));
    }
  }
  setting.rounds = rounds > 0 ? rounds : setting.quick ? 1 : setting.rounds;
  return setting;
}

bool is_named(const Peer& peer, const std::vector<std::string>& parts) {
  const auto contains_one = [&](const Row& row) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](const std::string& part) { return row.name.find(part) != std::string::npos; });
  };
  return std::any_of(peer.rows.begin(), peer.rows.end(), contains_one);
}

// A goal that compares with a peer which does not run is left out with it.
void keep_only(const std::vector<std::string>& parts, Subject& subject) {
  if (parts.empty()) return;
  std::erase_if(subject.peers, [&](const Peer& peer) { return !is_named(peer, parts); });
  if (subject.peers.empty())
    throw BadUsage(fmt::format("{}: no peer's name contains \"{}\"", subject.name, fmt::join(parts, "\" or \"")));
  const auto runs = [&](const std::string& row) {
    return std::any_of(subject.peers.begin(), subject.peers.end(), [&](const Peer& peer) {
      return std::any_of(peer.rows.begin(), peer.rows.end(), [&](const Row& one) { return one.name == row; });
    });
  };
  std::erase_if(subject.goals, [&](const Goal& goal) {
    return !runs(goal.row) || (goal.compare != Goal::Compare::alone && !runs(goal.beside));
  });
}

// Rows [first, first + figures) are this peer's.
void run_once(const Peer& peer, PeerProcess& process, Row* rows, bool counts) {
  if (!rows->failed.empty()) return;
  try {
    const std::vector<double> figures = process.run();
    if (figures.size() != peer.rows.size()) throw std::logic_error("a figure is missing");
    for (std::size_t i = 0; counts && i < figures.size(); ++i) rows[i].samples.push_back(figures[i]);
  } catch (const std::exception& error) {
    for (std::size_t i = 0; i < peer.rows.size(); ++i) {
      rows[i].samples.clear();
      rows[i].failed = error.what();
    }
  }
}

void write_json(const Setting& setting, const Subject& subject, const std::vector<Row>& rows) {
  if (setting.json.empty()) return;
  std::ofstream file(setting.json);
  file << to_json(subject, rows) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + setting.json);
}

}  // namespace

void Subject::add(std::vector<Peer> more) { std::move(more.begin(), more.end(), std::back_inserter(peers)); }

Peer one_figure(std::string name, std::string unit, std::function<double()> run, std::string version) {
  return {{Row{std::move(name), std::move(unit), std::move(version)}},
          [run = std::move(run)] { return std::vector<double>{run()}; }};
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::uint64_t monotonic_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

std::vector<Row> run_in_turns(const std::vector<Peer>& peers, const Setting& setting) {
  std::vector<Row> rows;
  for (const Peer& peer : peers) rows.insert(rows.end(), peer.rows.begin(), peer.rows.end());
  std::deque<PeerProcess> processes;
  for (const Peer& peer : peers) processes.emplace_back(peer);
  for (std::size_t round = setting.quick ? 1 : 0; round <= setting.rounds; ++round) {
    Row* place = rows.data();
    for (std::size_t i = 0; i < peers.size(); ++i) {
      fmt::print(stderr, "round {} of {}: {}\n", round, setting.rounds, peers[i].rows.front().name);
      run_once(peers[i], processes[i], place, round > 0);
      place += peers[i].rows.size();
    }
  }
  return rows;
}

int subject_main(int argc, char** argv, const std::function<Subject(const Setting&)>& make) {
  try {
    const Setting setting = read_setting(argc, argv);
    Subject subject = make(setting);
    subject.judged = !setting.quick;
    keep_only(setting.only, subject);
    const std::vector<Row> rows = run_in_turns(subject.peers, setting);
    print_table(stdout, subject, rows);
    write_json(setting, subject, rows);
    return std::any_of(rows.begin(), rows.end(), [](const Row& row) { return !row.failed.empty(); }) ? 1 : 0;
  } catch (const BadUsage& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", argv[0], error.what());
    return 1;
  }
}

}  // namespace bench
