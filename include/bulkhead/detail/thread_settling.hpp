// What becomes of a threaded run's tasks: what its threads report becomes results, in their turn where there is one, or
// another attempt.
#pragma once

#include <bulkhead/detail/block_filler.hpp>
#include <bulkhead/detail/event_teller.hpp>
#include <bulkhead/detail/kept_outcomes.hpp>
#include <bulkhead/detail/thread_deliveries.hpp>
#include <bulkhead/detail/thread_report.hpp>
#include <bulkhead/detail/thread_retries.hpp>
#include <bulkhead/options.hpp>
#include <bulkhead/work_statistics.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bulkhead::detail {

/// What take() came to.
enum class Settled : std::uint8_t { nothing, result, worker_gave_up };

/// The driver's alone. Refers to the run's options and its filler.
template <class Item, class R>
class ThreadSettling {
 public:
  using Filler = BlockFiller<Item, R>;
  using Block = typename Filler::Block;
  using Clock = std::chrono::steady_clock;

  ThreadSettling(const WorkOptions& options, bool ordered, Filler& filler)
      : tell_(options.on_event), filler_(filler), retries_(options.retry), deliveries_(ordered) {}

  ThreadRetries<Item>& retries() noexcept { return retries_; }
  const ThreadRetries<Item>& retries() const noexcept { return retries_; }
  bool ordered() const noexcept { return deliveries_.ordered(); }

  /// So many tasks more were taken on: each ends once, and is delivered once.
  void expect(std::size_t tasks) noexcept { expected_ += tasks; }
  std::size_t expected() const noexcept { return expected_; }
  std::size_t ended() const noexcept { return ended_; }
  std::size_t delivered() const noexcept { return delivered_; }
  /// In the hands of threads, or on the way there.
  std::size_t in_hand() const noexcept { return expected_ - std::min(expected_, ended_ + retries_.size()); }
  /// Adds what is counted here.
  void add_counts(WorkStatistics& all) const noexcept {
    all.tasks += ended_;
    all.retried += retried_;
    all.output_bytes += output_bytes_;
  }

  /// Where the next reports are put, once those before have been taken.
  std::vector<ThreadReport>& next_reports() noexcept {
    at_ = 0;
    return reports_;
  }
  /// Reports are to be taken, or a result whose turn it is.
  bool has_come() const { return at_ < reports_.size() || deliveries_.has_one(); }
  /// Whether take() gives a result.
  bool ready() const {
    if (deliveries_.has_one()) return true;
    for (std::size_t i = at_; i < reports_.size(); ++i) {
      const ThreadReport& report = reports_[i];
      if (report.kind != ReportKind::finished || report.done.size() == 0) continue;
      const Block& block = Filler::block_of(report.done);
      const bool final = !retries_.allowed() || block.made[report.done.first].has_value();
      return final && deliveries_.is_next(block.index(report.done.first));
    }
    return false;
  }

  /// Goes through the reports up to the next result, or up to a thread that could not begin: gave_up() says why.
  /// Throws what a listener throws; std::logic_error for more outcomes than tasks.
  Settled take(Indexed<R>& into) {
    if (deliveries_.take(into)) return delivered_one();
    for (; at_ < reports_.size(); ++at_) {
      ThreadReport& report = reports_[at_];
      while (report.kind == ReportKind::finished && report.done.size() != 0)
        if (take_outcome(report, into)) return delivered_one();
      if (report.kind == ReportKind::gave_up) return ++at_, Settled::worker_gave_up;
      if (report.kind != ReportKind::finished) tell_of(report);
    }
    return Settled::nothing;
  }
  const ThreadReport& gave_up() const noexcept { return reports_[at_ - 1]; }

  /// What nearly all reports are where tasks are tiny, kept short for that reason: runs of outcomes that are final, and
  /// of which nobody is told. Each goes to its own place, or where it comes.
  void take_plain_runs(KeptOutcomes<R>& kept, bool own_places) {
    if (ordered() || retries_.allowed() || tell_) return;
    for (; at_ < reports_.size() && reports_[at_].kind == ReportKind::finished; ++at_) {
      const ThreadReport& report = reports_[at_];
      const std::uint32_t tasks = report.done.size();
      if (tasks == 0) continue;  // its block may be in use again
      if (tasks > expected_ - ended_) throw too_many();
      Block& block = Filler::block_of(report.done);
      const std::size_t place = own_places ? block.index(report.done.first) : delivered_;
      ended_ += tasks;
      delivered_ += tasks;
      block.take_outcomes(report.done.first, report.done.last, report.stats, place, kept);
      filler_.settle(block, tasks);
    }
  }

  /// No task that fails from here on is tried again. Those that wait for it end now.
  void give_up(const Failure& why) {
    given_up_ = true;
    while (const auto again = retries_.take()) end(again->index, again->number - 1, why);
  }
  /// Tasks that no thread has begun, and none will.
  void end_unbegun(const TaskSpan& span, const Failure& why) {
    Block& block = Filler::block_of(span);
    for (std::uint32_t place = span.first; place < span.last; ++place) {
      block.items[place].reset();
      end(block.index(place), block.attempt(place) - 1, why);
      filler_.settle(block, 1);
    }
  }
  /// A task that will not be begun (again): `made` attempts were.
  void end(std::size_t index, unsigned made, Failure failure) {
    if (made > 0) failure.what += " again (attempts made: " + std::to_string(made) + ")";
    Outcome<R> outcome(std::move(failure), {.attempts = made});
    count_and_tell(index, made, 0, outcome);
    deliveries_.keep(index, std::move(outcome));
  }

 private:
  static std::logic_error too_many() { return std::logic_error("bulkhead: more outcomes than items"); }

  Settled delivered_one() noexcept {
    ++delivered_;
    return Settled::result;
  }

  // The first of a report. False: it is tried again, or waits for its turn.
  bool take_outcome(ThreadReport& report, Indexed<R>& into) {
    Block& block = Filler::block_of(report.done);
    const std::uint32_t place = report.done.first++;
    const std::size_t index = block.index(place);
    const unsigned attempt = block.attempt(place);
    Outcome<R> outcome = block.made[place].take(report.stats);
    if (block.tried_before) OutcomeAccess::stats(outcome).attempts = static_cast<std::uint16_t>(attempt);
    const bool again = retries_.allowed() && keep_for_retry(report, block, place, outcome);
    filler_.settle(block, 1);
    if (again) return false;
    count_and_tell(index, attempt, report.worker, outcome);
    return deliveries_.pass(index, std::move(outcome), into);
  }

  bool keep_for_retry(const ThreadReport& report, Block& block, std::uint32_t place, const Outcome<R>& outcome) {
    if (outcome.has_value()) return false;
    Item item = std::move(*block.items[place]);
    block.items[place].reset();
    const Verdict verdict = given_up_ ? Verdict{} : retries_.judge(outcome.ending(), block.attempt(place));
    if (!verdict.again) return false;
    ++retried_;
    tell_({.kind = EventKind::attempt_lost,
           .when = report.when,
           .task = block.index(place),
           .attempt = block.attempt(place),
           .worker = report.worker,
           .ending = outcome.ending(),
           .failure = &outcome.error(),
           .stats = outcome.stats()});
    retries_.put(Clock::now() + verdict.delay, {block.index(place), block.attempt(place) + 1, std::move(item)});
    return true;
  }

  void count_and_tell(std::size_t index, unsigned attempt, int worker, const Outcome<R>& outcome) {
    if (ended_ == expected_) throw too_many();
    ++ended_;
    if (!tell_) return;
    tell_({.kind = EventKind::task_finished,
           .task = index,
           .attempt = attempt,
           .worker = worker,
           .ending = outcome.ending(),
           .failure = outcome.has_value() ? nullptr : &outcome.error(),
           .stats = outcome.stats()});
  }

  void tell_of(const ThreadReport& report) {
    const bool started = report.kind == ReportKind::started;
    output_bytes_ += report.bytes.size();
    tell_({.kind = started ? EventKind::task_started : EventKind::task_output,
           .when = report.when,
           .task = report.index,
           .attempt = report.attempt,
           .worker = report.worker,
           .channel = report.channel,
           .output = report.bytes});
  }

  const EventTeller tell_;
  Filler& filler_;
  ThreadRetries<Item> retries_;
  ThreadDeliveries<R> deliveries_;
  std::vector<ThreadReport> reports_;  // those before at_ have been taken
  std::size_t at_ = 0;
  std::size_t expected_ = 0, ended_ = 0, delivered_ = 0;
  std::uint64_t retried_ = 0, output_bytes_ = 0;
  bool given_up_ = false;
};

}  // namespace bulkhead::detail
