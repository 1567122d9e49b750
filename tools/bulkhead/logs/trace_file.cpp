#include "logs/trace_file.hpp"

#include "logs/task_json.hpp"
#include "words/shell_quote.hpp"

#include <cstddef>

namespace bulkhead::tool {

namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr int process = 1;  // the whole run is one process of the trace, and its slots are the threads

double microseconds(std::chrono::nanoseconds t) { return std::chrono::duration<double, std::micro>(t).count(); }

}  // namespace

void TraceFile::add(const OrderedJson& event) {
  file_.put((first_ ? "\n" : ",\n") + one_line(event));
  first_ = false;
}

void TraceFile::run_started(const RunStart& start) {
  origin_ = start.when;
  file_.put("{\"displayTimeUnit\":\"ms\",\"otherData\":" +
            one_line({{"tool", "bulkhead " BULKHEAD_VERSION},
                      {"run_id", start.run_id},
                      {"started", microseconds(start.when) / 1e6}}) +
            ",\"traceEvents\":[");
  add({{"name", "process_name"}, {"ph", "M"}, {"pid", process}, {"args", {{"name", "bulkhead " + start.command}}}});
  file_.flush();  // a file that cannot be written should be known of before anything is run
}

void TraceFile::name_track(int slot) {
  const auto index = static_cast<std::size_t>(slot);
  if (named_.size() <= index) named_.resize(index + 1);
  if (named_[index]) return;
  named_[index] = true;
  add({{"name", "thread_name"},
       {"ph", "M"},
       {"pid", process},
       {"tid", slot + 1},
       {"args", {{"name", "slot " + std::to_string(slot + 1)}}}});
}

void TraceFile::draw(const Attempt& attempt, const std::string& command) {
  name_track(attempt.slot);
  add({{"name", printable(joined_record(attempt.task))},
       {"cat", to_string(attempt.end)},
       {"ph", "X"},
       {"pid", process},
       {"tid", attempt.slot + 1},
       {"ts", microseconds(attempt.started - origin_)},
       {"dur", microseconds(attempt.ran)},
       {"args",
        {{"seq", attempt.task.sequence},
         {"attempt", attempt.task.attempt},
         {"words", attempt.words},
         {"command", command},
         {"max_rss", attempt.max_rss}}}});
}

void TraceFile::task_finished(const Attempt& attempt, const std::string& command) {
  const bool drawn = attempt.dropped;  // as an attempt that was lost
  const bool never_ran = attempt.end == TaskEnd::left_over && attempt.ran.count() == 0;
  if (!drawn && !never_ran) draw(attempt, command);
}

void TraceFile::run_finished(const RunFinish&) {
  file_.put("\n]}\n");
  file_.finish();
}

}  // namespace bulkhead::tool
