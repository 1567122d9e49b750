#include "logs/report_run.hpp"

#include "words/error_text.hpp"
#include "words/usage_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <string_view>
#include <utility>

namespace bulkhead::tool {

namespace {

// Not through the middle of a character.
std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  text.resize(limit);
  return text + "… (cut)";
}

std::int64_t microseconds(double seconds) {
  const std::chrono::duration<double> time(std::clamp(seconds, 0.0, 1e9));
  return std::chrono::round<std::chrono::microseconds>(time).count();
}

class RunReader {
 public:
  explicit RunReader(std::uint64_t wanted) : wanted_(wanted) {}

  /// Empty, or what is wrong with the event.
  std::string add(EventLine& event) {
    if (event.event == "run_started") return begin(event);
    if (run_.of == 0) return "it stands before any run_started; name a file written by --events";
    if (!reading_) return {};
    run_.last_time = event.time;
    if (event.event == "worker_died") ++run_.workers_died;
    if (event.event == "run_finished") {
      run_.finished = true;
      run_.end = event;
    }
    if (!event.event.starts_with("task_") && event.event != "attempt_lost") return {};
    if (event.seq < 1 || event.attempt < 0) return "it has no \"seq\" of a task";
    if (event.event == "task_started") {
      in_hand_[event.seq] = std::move(event);
      return {};
    }
    in_hand_.erase(event.seq);
    if (event.ending.empty()) return "it has no \"ending\"";
    (event.event == "attempt_lost" ? run_.lost : run_.tasks).push_back(row(event));
    return {};
  }

  ReportRun finish() {
    for (auto& [seq, event] : in_hand_) {
      event.ending = "unfinished";
      event.words = "NOT FINISHED";
      event.started = event.time;
      event.ran = run_.last_time - event.time;
      run_.tasks.push_back(row(event));
    }
    for (std::vector<ReportRow>* rows : {&run_.tasks, &run_.lost})
      std::stable_sort(rows->begin(), rows->end(), [](const auto& a, const auto& b) { return a.seq < b.seq; });
    return std::move(run_);
  }

 private:
  std::string begin(EventLine& event) {
    if (event.version != 1) return "its \"version\" is not 1; this bulkhead reads no other: use the one that wrote it";
    const std::uint64_t number = run_.of + 1;
    reading_ = wanted_ == 0 || number == wanted_;
    if (reading_) {
      run_ = ReportRun();
      in_hand_.clear();
      run_.begin = event;
      run_.last_time = event.time;
      run_.number = number;
      run_.tails.number_of("");
      run_.commands.number_of("");
    }
    run_.of = number;
    return {};
  }

  ReportRow row(EventLine& event) {
    const std::string kind = event.ending + '\0' + cut(std::move(event.words), 500) + '\0' + cut(event.stack, 20'000);
    const bool well = event.ending == "ok";
    return {.seq = event.seq,
            .attempt = event.attempt,
            .slot = event.slot,
            .started = event.started > 0 ? microseconds(event.started - run_.begin.time) : -1,
            .ran = microseconds(event.ran),
            .kind = run_.kinds.number_of(kind),
            .tail = run_.tails.number_of(cut(std::move(event.error_tail), 4'000)),
            .command = well ? 0 : run_.commands.number_of(cut(std::move(event.command), 4'000)),
            .bytes = event.output_bytes,
            .memory = event.max_rss / 1024,
            .record = cut(std::move(event.record), 1'000)};
  }

  std::uint64_t wanted_;
  bool reading_ = false;
  ReportRun run_;
  std::unordered_map<std::int64_t, EventLine> in_hand_;  // started, and not heard of since
};

}  // namespace

ReportRun read_run(const std::string& path, std::uint64_t number) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UsageError("report: " + path + ": " + describe_error(errno));
  RunReader reader(number);
  EventLine event;
  std::uint64_t lines = 0;
  bool torn = false;
  for (std::string line; std::getline(file, line); ++lines) {
    std::string wrong = event.read(line);
    torn = file.eof() && !wrong.empty() && lines > 0;  // it has no newline either: its writer was killed
    if (torn) break;
    if (wrong.empty()) wrong = reader.add(event);
    if (!wrong.empty())
      throw UsageError(fmt::format("report: line {} of {} is no event: {}", lines + 1, path, wrong) +
                       (lines > 0 ? "; take that line out, or cut the file off before it" : ""));
  }
  if (file.bad() || lines == 0) throw UsageError("report: " + path + " holds no events that can be read");
  ReportRun run = reader.finish();
  if (number > run.of)
    throw UsageError(fmt::format("report: --run {}: {} holds {} run{}", number, path, run.of, run.of == 1 ? "" : "s"));
  run.torn = torn;
  return run;
}

}  // namespace bulkhead::tool
