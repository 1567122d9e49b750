// One run: what is decided about every task that comes back, and what everyone is told about it.
//
//     records ──> TaskSource ──> workers ──> settle() ──> Printer, JobLog, Tally
//                     ^                          |
//                     └──── failed, try again ───┘
#pragma once

#include "logs/joblog.hpp"
#include "logs/quarantine.hpp"
#include "logs/run_listener.hpp"
#include "output/console.hpp"
#include "output/last_words.hpp"
#include "output/output_flow.hpp"
#include "output/printer.hpp"
#include "output/summary.hpp"
#include "records/task_source.hpp"
#include "rules/attempt.hpp"
#include "rules/median_timeout.hpp"
#include "rules/settings.hpp"
#include "words/run_id.hpp"

#include <bulkhead/event.hpp>
#include <bulkhead/options.hpp>
#include <bulkhead/signals.hpp>
#include <bulkhead/work_clock.hpp>
#include <bulkhead/work_statistics.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bulkhead::tool {

// Thrown through the stream, which then ends every worker at once.
struct KilledByUser {};  ///< the second Ctrl-C
struct NothingLeft {};   ///< no more tasks are wanted and none is out: the input need not be waited for

/// Its parts: batch.cpp makes, drives and reports; batch_watch.cpp hears; batch_settling.cpp decides.
class Batch {
 public:
  /// `shown`: a task's command as the log and -v have it.
  using Shown = std::function<std::string(const Task& task, int slot)>;
  /// Opens the job log and the records. Throws UsageError, std::system_error.
  Batch(const Settings& settings, Shown shown);
  /// The same with records that were opened before, to learn their columns.
  Batch(const Settings& settings, Shown shown, RecordStream records);

  const Settings& settings() const noexcept { return settings_; }
  MedianTimeout& median_timeout() noexcept { return median_timeout_; }
  TaskSource& source() noexcept { return source_; }
  Printer& printer() noexcept { return printer_; }
  Console& console() noexcept { return console_; }
  const std::string& run_id() const noexcept { return run_id_; }

  /// The commands of the failures that the summary has are kept for it: each runs its record again, alone.
  void note_commands() noexcept { notes_commands_ = true; }

  /// What every kind of run asks of the library.
  WorkOptions work_options();
  /// Makes the stream of results, pulls it to its end and settles what comes, then reports. `attempt_of` says in our
  /// words what a result is. Returns the exit status.
  template <class MakeStream, class AttemptOf>
  int drive(MakeStream&& make_stream, AttemptOf&& attempt_of) {
    return drive_run([&] {
      auto stream = make_stream();
      const TakeStatistics<decltype(stream)> at_the_end{stream, statistics_};
      for (auto&& result : stream) {
        Attempt attempt = attempt_of(result);
        attempt.task = source_.take(result.index);
        settle(attempt);
        source_.reuse(std::move(attempt.task.fields));
        if (!stream.ready()) let_output_flow();
      }
    });
  }

 private:
  using Clock = WorkClock;

  // However the stream ends: an exception may be how it is stopped.
  template <class Stream>
  struct TakeStatistics {
    const Stream& stream;
    WorkStatistics& into;
    ~TakeStatistics() { into = stream.statistics(); }
  };

  int drive_run(const std::function<void()>& run);
  /// An attempt has come back: decides what becomes of its task, and takes what that needs.
  void settle(Attempt& attempt);
  void on_event(const Event& event);
  void on_task_started(const Event& event);
  /// Calls every listener; one that cannot write is left out from then on.
  void tell(const std::function<void(RunListener&)>& what);
  int finish(int status);
  void look_round();
  bool obey();
  void obey_signals();
  void obey_deadline();
  void let_output_flow();
  void flush();
  void drain();
  void list_running();
  void on_task_output(const Event& event);
  void check_logs();
  void stop_starting();
  void stop_now();
  bool may_retry(const Attempt& attempt) const;
  void retry(Attempt attempt);
  std::chrono::milliseconds pause_before(unsigned next_attempt);
  void count_deaths(const Attempt& attempt);
  void give_up(const std::string& why);
  void conclude(const Attempt& attempt);
  void log(const Attempt& attempt);
  void write_failed(const std::string& what);
  int report();
  void summarize_run();

  Settings settings_;
  Shown shown_;
  SignalWatch signals_;
  Console console_;
  OutputFlow output_flow_{console_, [this] { return obey(); }};
  const std::size_t slots_;  // no more than records, where these are known
  Printer printer_;
  MedianTimeout median_timeout_;
  TaskSource source_;
  std::optional<JobLog> joblog_;
  std::optional<Quarantine> quarantine_;
  std::string run_id_ = make_run_id();
  std::vector<std::unique_ptr<RunListener>> listeners_;
  std::unordered_map<int, long> processes_;                  // of each slot's worker
  std::unordered_map<std::uint64_t, long> process_of_task_;  // a worker that dies is replaced before its task is back
  std::stop_source stop_, drain_;
  Tally tally_;
  WorkStatistics statistics_;
  RunEnd end_;
  std::unordered_map<std::uint64_t, Attempt> retrying_;  // the last failure of each task that waits for another attempt
  std::minstd_rand random_{
      static_cast<std::minstd_rand::result_type>(std::hash<std::string>()(run_id_))};  // which ends in random digits
  Clock::time_point started_ = Clock::now();
  std::uint64_t running_ = 0;
  std::uint64_t deaths_ = 0;  // of workers in a row, no task having succeeded since
  struct Running {
    std::uint64_t index = 0;
    Clock::time_point since{};
    bool active = false;
  };
  std::vector<Running> running_tasks_;  // by slot
  std::chrono::steady_clock::time_point looked_round_{};
  int lists_seen_ = 0;
  LastWords last_words_;
  Clock::time_point logs_checked_ = started_;
  bool stopping_ = false, given_up_ = false, notes_commands_ = false;
};

}  // namespace bulkhead::tool
