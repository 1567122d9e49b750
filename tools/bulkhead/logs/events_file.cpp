#include "logs/events_file.hpp"

#include "logs/task_json.hpp"
#include "words/as_number.hpp"

#include <chrono>

namespace bulkhead::tool {

using OrderedJson = nlohmann::ordered_json;

// Whole lines, each written at once: whoever follows the file never has to wait for the rest of one.
void EventsFile::write(const char* event, const OrderedJson& fields) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  OrderedJson line{{"event", event}, {"time", now.count()}};
  line.update(fields);
  file_.put(one_line(line) + "\n");
  file_.flush();
}

namespace {

OrderedJson as_json(const WorkStatistics& statistics) {
  return {{"dealt", statistics.dealt},
          {"taken_back", statistics.taken_back},
          {"batches", statistics.batches},
          {"largest_batch", statistics.largest_batch},
          {"coordinator_wakeups", statistics.coordinator_wakeups},
          {"worker_wakeups", statistics.worker_wakeups},
          {"item_bytes", statistics.item_bytes},
          {"result_bytes", statistics.result_bytes},
          {"output_bytes", statistics.output_bytes},
          {"workers_started", statistics.workers_started},
          {"workers_ended", statistics.workers_ended},
          {"wall", as_seconds(statistics.wall_time)},
          {"coordinator_cpu", as_seconds(statistics.coordinator_cpu_time)},
          {"workers_cpu", as_seconds(statistics.workers_cpu_time)}};
}

}  // namespace

void EventsFile::run_started(const RunStart& start) {
  write("run_started", {{"version", version},
                        {"run_id", start.run_id},
                        {"jobs", start.jobs},
                        {"tool", "bulkhead " BULKHEAD_VERSION},
                        {"command", start.command},
                        {"joblog", start.joblog}});
}

void EventsFile::worker_started(int slot, long process) {
  write("worker_started", {{"slot", slot + 1}, {"pid", process}});
}

void EventsFile::worker_died(int slot, long process, const Failure& failure) {
  write("worker_died", {{"slot", slot + 1},
                        {"pid", process},
                        {"words", failure.describe()},
                        {"exit_code", failure.exit_code},
                        {"signal", failure.signal},
                        {"max_rss", failure.max_rss},
                        {"backtrace", failure.backtrace}});
}

void EventsFile::task_started(const TaskStart& start) {
  write("task_started", {{"seq", start.task.sequence},
                         {"attempt", start.task.attempt},
                         {"slot", start.slot + 1},
                         {"pid", start.process},
                         {"record", joined_record(start.task)},
                         {"command", start.command}});
}

void EventsFile::attempt_lost(const Attempt& attempt, const std::string& command) {
  write("attempt_lost", describe_as_json(attempt, command));
}

void EventsFile::task_finished(const Attempt& attempt, const std::string& command) {
  write("task_finished", describe_as_json(attempt, command));
}

void EventsFile::run_finished(const RunFinish& finish) {
  const Tally& tally = finish.tally;
  write("run_finished", {{"ok", tally.ok},
                         {"failed", tally.failed},
                         {"crashed", tally.crashed},
                         {"timed_out", tally.timed_out},
                         {"out_of_memory", tally.out_of_memory},
                         {"left_over", tally.left_over},
                         {"retried", tally.retried},
                         {"leaked", tally.leaked},
                         {"wall", as_seconds(finish.wall)},
                         {"exit_status", finish.exit_status},
                         {"statistics", as_json(finish.statistics)}});
  file_.finish();
}

}  // namespace bulkhead::tool
