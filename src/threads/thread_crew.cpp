#include <bulkhead/detail/thread_crew.hpp>

#include <bulkhead/detail/cpu_clock.hpp>
#include <bulkhead/detail/current_task.hpp>
#include <bulkhead/detail/exception_failure.hpp>
#include <bulkhead/detail/thread_warnings.hpp>

#include "threads/thread_ledger.hpp"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>

namespace bulkhead::detail {

namespace {

constexpr std::size_t nobody_waits = std::numeric_limits<std::size_t>::max();
constexpr std::size_t most_output_bytes = 1 << 20;  // waiting for the driver; one call may go above it
constexpr std::chrono::milliseconds between_looks{2};

Failure failure_of_init() noexcept {
  try {
    return failure_from_current_exception();
  } catch (...) {
    return {};  // no memory for words
  }
}

}  // namespace

class ThreadCrew::State final : private OutputSink {
 public:
  State(TaskLoop& loop, const WorkOptions& options, std::stop_source stop)
      : options_(options), stop_(std::move(stop)), loop_(loop), ledger_(!!options.on_event) {
    if (options.stop.stop_possible()) on_stop_.emplace(options.stop, [this] { request_stop(); });
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { discard(); }

  void start_worker();
  Usage usage() const;
  void publish(std::span<const TaskSpan> tasks);
  std::vector<TaskSpan> take_back();
  std::size_t collect(std::vector<ThreadReport>& into, std::size_t at_least, Clock::time_point no_longer,
                      Clock::time_point until);
  bool has_idle() const;
  void close_and_join();
  void discard() noexcept;
  const ThreadLedger& ledger() const noexcept { return ledger_; }

 private:
  using Hand = ThreadLedger::Hand;
  using Lock = std::unique_lock<std::mutex>;

  // Of a thread, from its first instruction to its last.
  void live(int slot, Hand& hand);
  bool initialise(int slot);
  void serve(Hand& hand, CurrentTask& current);
  std::optional<std::uint32_t> claim(Lock& lock, Hand& hand, Clock::time_point& now);
  bool sleep(Lock& lock, bool watch);
  void emit(const ThisTask& task, int channel, std::span<const std::byte> bytes) override;
  void request_stop();  // of any thread

  // With the mutex held.
  void wake_workers(std::size_t tasks);
  bool look_round();
  bool tell_driver();
  void nudge_driver();
  bool driver_should_look() const { return ledger_.runs() != 0 || (asleep_ != 0 && ledger_.waiting() != 0); }

  const WorkOptions& options_;
  std::stop_source stop_;
  TaskLoop& loop_;

  mutable std::mutex mutex_;
  std::condition_variable work_, driver_, output_room_;
  ThreadLedger ledger_;
  std::size_t wanted_ = nobody_waits;  // by the driver: of what reports tell of
  std::size_t output_bytes_ = 0;
  std::size_t alive_ = 0, asleep_ = 0;  // threads
  bool watching_ = false;               // one that sleeps
  bool driver_looks_ = true;  // round every now and then; false: it waits, and would not see a run stand still
  Usage usage_;
  bool nudged_ = false, closed_ = false, discarding_ = false;

  std::vector<std::thread> threads_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

void ThreadCrew::State::start_worker() {
  const int slot = static_cast<int>(threads_.size());
  Hand* hand = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    hand = &ledger_.add_hand(slot);
    ++alive_;
  }
  try {
    threads_.emplace_back([this, slot, hand] { live(slot, *hand); });
  } catch (...) {
    const std::scoped_lock lock(mutex_);
    ledger_.drop_hand();
    --alive_;
    throw;
  }
}

ThreadCrew::Usage ThreadCrew::State::usage() const {
  const std::scoped_lock lock(mutex_);
  return usage_;
}

void ThreadCrew::State::publish(std::span<const TaskSpan> tasks) {
  const std::scoped_lock lock(mutex_);
  const std::size_t before = ledger_.waiting();
  ledger_.add(tasks);
  wake_workers(ledger_.waiting() - before);
}

// As many as there is work for: one can do a thousand tiny tasks before another has woken up.
void ThreadCrew::State::wake_workers(std::size_t tasks) {
  if (asleep_ == 0) return;
  std::size_t wanted = tasks;
  if (const auto each = ledger_.mean(); each != each.zero() && each < tiny) {
    const auto runs =
        static_cast<std::size_t>(each * static_cast<std::int64_t>(ledger_.waiting()) / ThreadLedger::run_time);
    wanted = runs + (asleep_ == alive_ || !watching_ ? 1 : 0);
  }
  if (wanted >= asleep_) {
    work_.notify_all();
  } else {
    for (std::size_t n = 0; n < wanted; ++n) work_.notify_one();
  }
}

std::vector<TaskSpan> ThreadCrew::State::take_back() {
  const std::scoped_lock lock(mutex_);
  return ledger_.take_back();
}

std::size_t ThreadCrew::State::collect(std::vector<ThreadReport>& into, std::size_t at_least,
                                       Clock::time_point no_longer, Clock::time_point until) {
  into.clear();
  Lock lock(mutex_);
  if (Clock::now() - ledger_.looked() > between_looks) look_round();  // who asks seldom
  while (ledger_.news() < at_least && !nudged_) {
    wanted_ = at_least;
    // Whether a task may be waiting behind another, or its outcome for the end of a run.
    const bool looks = driver_looks_ = driver_should_look();
    auto next = looks ? std::min(until, Clock::now() + between_looks) : until;
    if (at_least > 1) next = std::min(next, no_longer);
    driver_.wait_until(lock, next, [&] { return ledger_.news() >= at_least || nudged_ || looks != driver_looks_; });
    driver_looks_ = true;
    wanted_ = nobody_waits;
    look_round();
    const auto now = Clock::now();
    if (now >= no_longer) at_least = 1;
    if (now >= until) break;
  }
  nudged_ = false;
  const std::size_t news = ledger_.news();
  ledger_.take_reports(into);
  if (output_bytes_ > 0) {
    output_bytes_ = 0;
    output_room_.notify_all();
  }
  return news;
}

// By the driver while it waits, or by a thread that has nothing to do.
bool ThreadCrew::State::look_round() {
  if (!ledger_.look_round(Clock::now())) return false;
  tell_driver();
  if (asleep_ != 0 && ledger_.waiting() != 0) work_.notify_all();
  return true;
}

// Once, where there is enough for it. Whether it was woken.
bool ThreadCrew::State::tell_driver() {
  if (ledger_.news() < wanted_) return false;
  wanted_ = nobody_waits;
  driver_.notify_one();
  return true;
}

bool ThreadCrew::State::has_idle() const {
  const std::scoped_lock lock(mutex_);
  return asleep_ != 0 && ledger_.waiting() == 0;
}

void ThreadCrew::State::request_stop() {
  stop_.request_stop();
  const std::scoped_lock lock(mutex_);
  nudge_driver();
}

// It looks at what there is, however little.
void ThreadCrew::State::nudge_driver() {
  nudged_ = true;
  driver_.notify_one();
}

void ThreadCrew::State::close_and_join() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void ThreadCrew::State::discard() noexcept {
  on_stop_.reset();
  if (threads_.empty()) return;
  stop_.request_stop();
  {
    const std::scoped_lock lock(mutex_);
    discarding_ = true;
    output_room_.notify_all();
  }
  close_and_join();
}

void ThreadCrew::State::live(int slot, Hand& hand) {
  CurrentTask& current = current_task();
  current = {.task = {.worker = slot}, .sink = this};
  if (initialise(slot)) serve(hand, current);
  const std::chrono::nanoseconds used = thread_cpu_time();
  const std::scoped_lock lock(mutex_);
  ++usage_.threads_ended;
  usage_.cpu_time += used;
}

bool ThreadCrew::State::initialise(int slot) {
  try {
    if (options_.worker_init) options_.worker_init();
    return true;
  } catch (...) {
    ThreadReport report{.kind = ReportKind::gave_up, .worker = slot, .when = Clock::now()};
    report.failure = failure_of_init();
    const std::scoped_lock lock(mutex_);
    ledger_.report(std::move(report), 1);
    --alive_;
    nudge_driver();  // nobody may be left to bring the number of reports that it waits for
    return false;
  }
}

void ThreadCrew::State::serve(Hand& hand, CurrentTask& current) {
  {
    Lock lock(mutex_);
    Clock::time_point now = Clock::now();
    while (const auto place = claim(lock, hand, now)) {
      TaskNumbers& block = *hand.block;
      const Clock::time_point began = now;
      lock.unlock();
      const std::uint32_t done = loop_.run(block, *place, hand.claimed, current);
      const Clock::time_point ended = Clock::now();
      const bool waited = !lock.try_lock();
      if (waited) lock.lock();
      ledger_.finish(hand, done, began, ended);
      now = tell_driver() || waited ? Clock::now() : ended;  // that was no task's time
    }
  }
  try {
    if (options_.worker_exit) options_.worker_exit();
  } catch (...) {
    log_lost_exception("worker_exit", failure_from_current_exception());
  }
}

// The first place of what was claimed; nothing if there will be nothing any more. `now` is brought up to date where it
// slept or woke somebody.
std::optional<std::uint32_t> ThreadCrew::State::claim(Lock& lock, Hand& hand, Clock::time_point& now) {
  std::optional<std::uint32_t> first;
  for (bool watch = true;; now = Clock::now()) {
    if (!stop_.stop_requested()) first = ledger_.claim(hand, alive_, now);
    if (first) break;
    if (closed_) return std::nullopt;
    watch = sleep(lock, watch);
  }
  bool told = tell_driver();
  if (hand.is_run && !std::exchange(driver_looks_, true)) {
    driver_.notify_one();
    told = true;
  }
  if (hand.is_run && asleep_ != 0 && !watching_) {
    work_.notify_one();
    told = true;
  }
  if (told) hand.began = now = Clock::now();  // to wake somebody takes longer than a tiny task
  return first;
}

// One of those who sleep watches: so that few need be woken for tiny tasks, and still none waits long behind another
// that turns out not to be. Returns whether to watch the next time: not where nothing was to see.
bool ThreadCrew::State::sleep(Lock& lock, bool watch) {
  watch = watch && !std::exchange(watching_, true);
  ++asleep_;
  bool timed_out = false;
  if (watch)
    timed_out = work_.wait_for(lock, between_looks) == std::cv_status::timeout;
  else
    work_.wait(lock);
  --asleep_;
  if (watch) watching_ = false;
  if (!timed_out) {
    usage_.wakeups += !closed_;
    return true;
  }
  return look_round();
}

void ThreadCrew::State::emit(const ThisTask& task, int channel, std::span<const std::byte> bytes) {
  if (bytes.size() > options_.max_result_bytes)
    throw std::length_error("bulkhead::emit_output(): more than WorkOptions::max_result_bytes in one call");
  if (!options_.on_event) return;
  ThreadReport report{.kind = ReportKind::output,
                      .worker = task.worker,
                      .when = Clock::now(),
                      .index = task.index,
                      .attempt = task.attempt,
                      .channel = channel,
                      .bytes = {bytes.begin(), bytes.end()}};
  Lock lock(mutex_);
  while (output_bytes_ >= most_output_bytes && !discarding_) {
    nudge_driver();  // each time: of several that wait for room, the first may fill it again
    output_room_.wait(lock);
  }
  if (discarding_) return;
  output_bytes_ += bytes.size();
  ledger_.report(std::move(report), 1);
  tell_driver();
}

ThreadCrew::ThreadCrew(TaskLoop& loop, const WorkOptions& options, std::stop_source stop)
    : state_(std::make_unique<State>(loop, options, std::move(stop))) {}
ThreadCrew::~ThreadCrew() = default;

void ThreadCrew::start_worker() { state_->start_worker(); }
ThreadCrew::Usage ThreadCrew::usage() const { return state_->usage(); }
void ThreadCrew::publish(std::span<const TaskSpan> tasks) { state_->publish(tasks); }
std::vector<TaskSpan> ThreadCrew::take_back() { return state_->take_back(); }
std::size_t ThreadCrew::collect(std::vector<ThreadReport>& into, std::size_t at_least, Clock::time_point no_longer,
                                Clock::time_point until) {
  return state_->collect(into, at_least, no_longer, until);
}
bool ThreadCrew::has_reports() const noexcept { return state_->ledger().has_reports(); }
bool ThreadCrew::has_idle() const { return state_->has_idle(); }
std::chrono::nanoseconds ThreadCrew::mean() const noexcept { return state_->ledger().mean(); }
void ThreadCrew::close_and_join() { state_->close_and_join(); }
void ThreadCrew::discard() noexcept { state_->discard(); }

}  // namespace bulkhead::detail
