// One worker as the coordinator sees it. Passive: it is told when to look, and calls nobody.
#pragma once

#include <bulkhead/detail/process_engine.hpp>

#include "death_verdict.hpp"
#include "ipc/inbox.hpp"
#include "ipc/lane.hpp"
#include "os/child.hpp"
#include "os/tee.hpp"
#include "pace.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bulkhead::process {

inline constexpr int kill_signal = 9;

/// How a worker ended, and what it left.
struct WorkerEnd {
  os::ExitStatus status;
  std::size_t left = 0;  // descendants that were ended with it
  std::uint64_t max_rss = 0;
  std::chrono::microseconds user_time{}, system_time{};
};

/// What the coordinator has counted a worker as.
struct Standing {
  std::size_t busy = 0;     // has a task
  std::size_t several = 0;  // and more than one
  std::size_t awaited = 0;  // it has not said yet that it was set up, or its end is not over
  std::size_t dying = 0;
  std::size_t unborn = 0;  // as far as we have heard

  Standing& operator+=(const Standing& other) noexcept {
    busy += other.busy, several += other.several, awaited += other.awaited, dying += other.dying,
        unborn += other.unborn;
    return *this;
  }
  Standing& operator-=(const Standing& other) noexcept {
    busy -= other.busy, several -= other.several, awaited -= other.awaited, dying -= other.dying,
        unborn -= other.unborn;
    return *this;
  }
};

class Worker {
 public:
  /// Not born yet: somebody was asked for it. And a spare, until it is given a slot.
  Worker(std::uint64_t number, std::uint32_t seed, std::size_t lane_number, ipc::LaneWriter lane, ipc::Inbox inbox,
         Pace pace)
      : number_(number), seed_(seed), lane_number_(lane_number), lane_(lane), inbox_(std::move(inbox)), pace_(pace) {}

  int slot() const noexcept { return slot_; }
  void take_slot(std::size_t slot) noexcept { slot_ = static_cast<int>(slot); }
  /// Told apart from every other worker of the run, also from those that had its slot.
  std::uint64_t number() const noexcept { return number_; }
  long pid() const noexcept { return process_.pid(); }
  const os::ProcessHandle& process() const noexcept { return process_; }
  /// It was forked.
  void be_born(os::ProcessHandle process, std::chrono::nanoseconds now) noexcept;
  /// Born, and with a slot, it may take records from now on. Wakes it, the first time.
  void admit() noexcept;
  bool admitted() const noexcept { return admitted_; }
  /// It says that it waits to be admitted, to set itself up then.
  bool sleeps_before_setting_up() const noexcept {
    return !serving && inbox_.page().read_asleep() == ipc::Sleep::for_tasks;
  }
  /// By the kernel, in its pid namespace, unless it says itself that it had crashed before.
  void be_ended_with_server() noexcept;
  bool born() const noexcept { return static_cast<bool>(process_); }
  std::size_t lane_number() const noexcept { return lane_number_; }
  ipc::LaneWriter& lane() noexcept { return lane_; }
  ipc::Inbox& inbox() noexcept { return inbox_; }
  Pace& pace() noexcept { return pace_; }

  /// Lets the worker see what was put into its lane, and wakes it if it sleeps. True if it was woken.
  bool publish(std::chrono::nanoseconds now);
  /// Frames were taken: the outbox may reuse their place. True if the worker slept for want of it, and was woken.
  bool acknowledge();
  /// When the oldest unanswered task was published.
  std::chrono::nanoseconds oldest_published() noexcept;

  /// Dates the task in hand: when was it first seen there. True while there is one.
  bool look_at_hand(std::chrono::nanoseconds now) noexcept;
  /// What is in hand counts from now on.
  void date_hand(std::chrono::nanoseconds now) noexcept { hand_since_ = now; }
  /// Whether it says itself that its oldest unanswered task is in its hands.
  bool runs_its_front() noexcept;
  /// Since when it has had something to do and taken nothing of it; nothing if it is at work, or has nothing.
  std::optional<std::chrono::nanoseconds> ignoring_since() noexcept;

  /// While its task in hand was running, `new` found no memory.
  bool was_refused_memory() const noexcept { return inbox_.was_refused_memory(lane_.front_offset()); }
  std::chrono::nanoseconds hand_since() const noexcept { return hand_since_; }

  /// Takes back at most `most` tasks that were not started, youngest first, and marks them. Those that are certain are
  /// visited and do not count as outstanding any more; the others are answered by the worker.
  template <class Visit>
  void take_back(std::size_t most, Visit&& visit);

  /// What the dead worker was executing, if it was. Nothing if its page contradicts what it sent.
  std::optional<ipc::Record> record_in_hand() noexcept;

  /// Tasks that it answered together.
  void remember(std::span<const detail::Completion> done) noexcept;
  /// What a dead worker noted of its end, if it noted anything plausible, and what is known of its life.
  void explain(Failure& failure) const;

  Standing standing() const noexcept { return {outstanding > 0, outstanding > 1, !serving || dying, dying, !born()}; }
  bool accepts() const noexcept { return doom == KillReason::none && !alone && !orphaned && !dying; }
  /// Everything is known that will ever be: what it said, and how it ended where that can be known.
  bool may_be_buried() const noexcept { return said_all && (ended || orphaned); }

  Standing counted_as{};
  std::size_t outstanding = 0;  // dealt and neither answered nor moved
  std::size_t dealt = 0;        // over its life, without what was taken back
  std::size_t most_tasks = 0;   // then it is renewed; 0: never
  bool alone = false;           // holds one suspect, and gets nothing else until that is answered
  bool serving = false;         // it has said that it was set up
  bool dying = false;           // its end was seen; what it said is being taken
  bool ring_taken = false;
  bool said_all = false;                  // pipe and ring are empty, and it has ended
  bool orphaned = false;                  // its fork server is gone: it does what it was dealt, and leaves
  std::optional<WorkerEnd> ended;         // as who reaped it says
  std::chrono::nanoseconds since{};       // asked for, or given a slot; then born; then admitted; then seen dead
  os::Tee words;                          // what it writes to its standard error, where that is kept
  bool words_wait = false;                // nobody takes them now
  os::Fd lifeline;                        // with it goes the worker, wherever it is
  std::chrono::nanoseconds cpu_before{};  // processor time when the task in hand was first seen there
  std::chrono::nanoseconds cpu_hand{-1};  // which task that was: since when
  std::array<std::uint64_t, 8> recent{};  // tasks that it answered last
  std::size_t answers = 0;                // noted there
  bool suspect = false;                   // something it wrote did not check out
  KillReason doom = KillReason::none;
  std::chrono::nanoseconds kill_at = std::chrono::nanoseconds::max();
  std::optional<ipc::MeasuredPayload> measured;  // of the next result
  std::uint64_t left = 0;                        // processes that the task in hand left
  detail::RoundedKib peak_rss;
  std::chrono::nanoseconds last_taken{};   // when results came last, or tasks to an empty lane
  std::optional<std::uint64_t> announced;  // the task whose start was made an event
  std::string last_words;                  // of a worker_init that failed

 private:
  struct Asked {
    ipc::Row* row;
    std::uint64_t at;
  };
  /// Marks what is to be taken back, with a full fence behind it: of what is returned the cursor tells now what was not
  /// started. All else is answered by the worker.
  std::vector<Asked> ask_back(std::size_t most);
  /// How many of a row's first items were begun by a worker that stands there.
  static std::size_t begun_of(const ipc::Row& row, std::uint64_t at, const ipc::Cursor& cursor) noexcept;

  struct Published {
    std::uint64_t tail;
    std::chrono::nanoseconds when;
  };

  int slot_ = -1;
  bool admitted_ = false;
  std::uint64_t number_;
  std::uint32_t seed_;
  std::size_t lane_number_;
  os::ProcessHandle process_;
  ipc::LaneWriter lane_;
  ipc::Inbox inbox_;
  Pace pace_;
  std::deque<Published> published_;
  ipc::Cursor hand_{};
  std::chrono::nanoseconds hand_since_{};
};

template <class Visit>
void Worker::take_back(std::size_t most, Visit&& visit) {
  const auto asked = ask_back(most);
  const auto after = asked.empty() ? std::nullopt : inbox_.cursor();
  if (!after) return;  // what was asked for is answered, or judged at its death
  for (const auto& [row, at] : asked) {
    const std::size_t certain = std::max<std::size_t>(row->kept, begun_of(*row, at, *after));
    for (std::size_t i = certain; i < row->unmoved; ++i) {
      --outstanding;
      --dealt;
      visit(ipc::Record(*row, i));
    }
    lane_.note_moved(*row, certain);
  }
}

}  // namespace bulkhead::process
