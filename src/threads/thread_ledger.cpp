#include "threads/thread_ledger.hpp"

#include <bulkhead/detail/thread_crew.hpp>

#include <algorithm>
#include <utility>

namespace bulkhead::detail {

ThreadLedger::Hand& ThreadLedger::add_hand(int slot) {
  Hand& hand = hands_.emplace_back();
  hand.slot = slot;
  return hand;
}

void ThreadLedger::add(std::span<const TaskSpan> tasks) {
  waiting_.insert(waiting_.end(), tasks.begin(), tasks.end());
  for (const TaskSpan& span : tasks) waiting_tasks_ += span.size();
}

std::vector<TaskSpan> ThreadLedger::take_back() {
  std::vector<TaskSpan> all(waiting_.begin(), waiting_.end());
  waiting_.clear();
  waiting_tasks_ = 0;
  for (Hand& hand : hands_)
    if (const auto range = hand.claimed.take_back(ClaimedRange::Share::all); range.size() != 0)
      all.push_back({hand.block, range.first, range.last, hand.dealt});
  return all;
}

std::optional<std::uint32_t> ThreadLedger::claim(Hand& hand, std::size_t threads, Clock::time_point now) {
  std::optional<std::uint32_t> first;
  while (!first) {
    if (!claim_waiting(hand, threads) && !claim_from_another(hand)) return std::nullopt;
    first = hand.claimed.pop();
  }
  hand.reported = *first;
  hand.began = now;
  if (announce_)
    report({.kind = ReportKind::started,
            .worker = hand.slot,
            .when = now,
            .index = hand.block->index(*first),
            .attempt = hand.block->attempt(*first)},
           1);
  hand.is_run = hand.claimed.left().size() > 0;
  runs_ += hand.is_run;
  return first;
}

bool ThreadLedger::claim_waiting(Hand& hand, std::size_t threads) {
  if (waiting_.empty()) return false;
  TaskSpan& front = waiting_.front();
  const std::size_t share = std::max<std::size_t>(1, waiting_tasks_ / (2 * threads));
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>({hand.run_size, front.size(), share}));
  hand.block = front.block;
  hand.dealt = front.dealt;
  hand.claimed.assign({front.first, front.first + count});
  front.first += count;
  waiting_tasks_ -= count;
  if (front.size() == 0) waiting_.pop_front();
  return true;
}

bool ThreadLedger::claim_from_another(Hand& hand) {
  for (Hand& other : hands_) {
    if (other.block == nullptr) continue;
    const auto range = other.claimed.take_back(ClaimedRange::Share::half);
    if (range.size() == 0) continue;
    hand.block = other.block;
    hand.dealt = other.dealt;
    hand.claimed.assign({range.first, range.last});
    return true;
  }
  return false;
}

void ThreadLedger::finish(Hand& hand, std::uint32_t tasks, Clock::time_point began, Clock::time_point now) {
  learn(hand, (now - began) / tasks, tasks);
  end_run(hand);
  report_run(hand, hand.claimed.left().first, now);
  if (hand.claimed.left().size() == 0) hand.block = nullptr;  // after a stop there may be some to take back
}

void ThreadLedger::learn(Hand& hand, std::chrono::nanoseconds each, std::uint32_t tasks) {
  const std::int64_t mean = mean_ns_;
  mean_ns_ = std::max<std::int64_t>(1, mean == 0 ? each.count() : mean + (each.count() - mean) / 2);
  hand.tiny_in_a_row = each < ThreadCrew::tiny ? std::min(hand.tiny_in_a_row + tasks, proof) : 0;
  const auto fit = run_time / std::max(each, std::chrono::nanoseconds(1));
  hand.run_size = announce_ || hand.tiny_in_a_row < proof
                      ? 1
                      : static_cast<std::uint32_t>(std::clamp<std::int64_t>(fit, 1, hand.run_size * 2));
}

void ThreadLedger::end_run(Hand& hand) { runs_ -= std::exchange(hand.is_run, false); }

bool ThreadLedger::look_round(Clock::time_point now) {
  looked_ = now;
  if (runs_ == 0 && waiting_tasks_ == 0) return false;
  for (Hand& hand : hands_) {
    if (hand.block == nullptr || !hand.is_run) continue;
    const auto left = hand.claimed.left();
    report_run(hand, left.first - 1, now);
    if (std::exchange(hand.seen_at, left.first) != left.first) continue;
    const auto rest = hand.claimed.take_back(ClaimedRange::Share::all);
    if (rest.size() != 0) waiting_.push_front({hand.block, rest.first, rest.last, hand.dealt});
    waiting_tasks_ += rest.size();
    end_run(hand);
  }
  return true;
}

// Its places before `end` are done, and are dated together.
void ThreadLedger::report_run(Hand& hand, std::uint32_t end, Clock::time_point now) {
  if (static_cast<std::int32_t>(end - hand.reported) <= 0) return;
  const std::uint32_t count = end - hand.reported;
  // The driver may have looked after this run's end was read from the clock.
  const auto took = std::max((now - hand.began).count(), Clock::rep{count});
  PackedStats stats;
  stats.ending = Ending::value;
  stats.attempts = 1;  // see ThreadSettling::take_outcome() for others
  stats.worker = static_cast<std::uint16_t>(hand.slot);
  stats.ran_ns = static_cast<float>(took) / static_cast<float>(count);
  stats.waited_ns = static_cast<float>(std::max((hand.began - hand.dealt).count(), Clock::rep{0}));
  report({.kind = ReportKind::finished,
          .worker = hand.slot,
          .when = now,
          .done = {hand.block, hand.reported, end, hand.dealt},
          .stats = stats},
         count);
  hand.reported = end;
  hand.began = now;
}

void ThreadLedger::report(ThreadReport&& report, std::size_t things) {
  reports_.push_back(std::move(report));
  news_ += things;
  has_reports_ = true;
}

void ThreadLedger::take_reports(std::vector<ThreadReport>& into) {
  into.swap(reports_);
  news_ = 0;
  has_reports_ = false;
}

}  // namespace bulkhead::detail
