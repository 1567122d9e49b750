// The bare lanes with what a stream of isolated tasks must pay on top of them, and still no library: its processes are
// made and ended while the clock runs, results carry checksums, outcomes are delivered in order from a window or kept.
#include "bare_lane.hpp"
#include "checksum.hpp"

#include <bulkhead/outcome.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace {

constexpr std::uint64_t window = 4 * lane_slots;  // tasks between the first that is awaited and the last that is dealt

struct Run {  // before its values
  std::uint64_t first = 0, count = 0, sum = 0;
};

class RunOutbox {
 public:
  RunOutbox(LanePage& page, int pipe) : bytes_(page.outbox), pipe_(pipe) {}
  void put(std::uint64_t task, std::uint64_t value) {
    if (task != run_.first + run_.count) {
      close();
      used_ += sizeof run_;
      run_ = {task, 0, 0};
    }
    std::memcpy(bytes_.data() + used_, &value, sizeof value);
    used_ += sizeof value;
    ++run_.count;
    run_.sum = check_on(run_.sum, value);
  }
  bool full() const { return used_ >= batch_bytes; }
  void flush() {
    close();
    write_or_leave(pipe_, bytes_.first(std::exchange(used_, 0)));
    run_ = none;
  }

 private:
  void close() {
    if (run_.count != 0)
      std::memcpy(bytes_.data() + used_ - run_.count * sizeof(std::uint64_t) - sizeof run_, &run_, sizeof run_);
  }

  std::span<std::byte> bytes_;
  int pipe_;
  std::size_t used_ = 0;
  static constexpr Run none{~std::uint64_t{0}, 0, 0};  // no task continues it
  Run run_ = none;
};

struct Outcome {
  std::uint64_t value = 0;
  std::uint32_t waited = 0, ran = 0, worker = 0, state = 0;
};
static_assert(sizeof(Outcome) == sizeof(bulkhead::Outcome<std::uint64_t>));

// The process that would fork a replacement, from memory as it was at the start.
class Spare {
 public:
  Spare() {
    require_of_lanes(::pipe(ends_.data()) == 0, "pipe");
    pid_ = ::fork();
    require_of_lanes(pid_ >= 0, "fork");
    if (pid_ != 0) return;
    ::close(ends_[1]);
    char none = 0;
    ::_exit(::read(ends_[0], &none, 1) == 0 ? 0 : 1);
  }
  ~Spare() {
    ::close(ends_[1]);
    ::close(ends_[0]);
    ::waitpid(pid_, nullptr, 0);
  }
  Spare(const Spare&) = delete;
  Spare& operator=(const Spare&) = delete;

 private:
  std::array<int, 2> ends_{};
  pid_t pid_ = 0;
};

class Stream {
 public:
  enum class Outcomes { delivered, kept };

  Stream(std::size_t tasks, Outcomes what)
      : workers_([](Lane& lane, LanePage& page, int pipe) { serve_lane(lane, page, RunOutbox(page, pipe)); }),
        tasks_(tasks),
        kept_(what == Outcomes::kept) {
    for (Incoming& from : incoming_) from.bytes.resize(256u << 10);
    outcomes_.reserve(kept_ ? tasks : window);
    if (kept_)
      advise_huge(outcomes_.data(), tasks * sizeof(Outcome));
    else
      outcomes_.resize(window);
  }

  /// The outcome of task `delivered`, which is the next one.
  const Outcome& next(std::uint64_t delivered) {
    Outcome& outcome = outcomes_[delivered % window];
    while (outcome.state == 0) {
      work_until(std::min<std::uint64_t>(tasks_, delivered + window));
    }
    outcome.state = 0;
    return outcome;
  }
  /// All of them, which must be kept.
  std::vector<Outcome> all() && {
    while (answered_ < tasks_) work_until(tasks_);
    return std::move(outcomes_);
  }

 private:
  struct Incoming {
    std::vector<std::byte> bytes;
    std::size_t held = 0;  // of a run that is not whole yet
  };

  void work_until(std::uint64_t end) {
    workers_.fill(dealt_, end);
    bool any = false;
    for (std::size_t w = 0; w < workers; ++w) any |= take(w);
    if (!any) workers_.wait_for_results();
  }

  bool take(std::size_t w) {
    Incoming& from = incoming_[w];
    const std::size_t n = workers_.read(w, std::span(from.bytes).subspan(from.held));
    if (n == 0) return false;
    from.held += n;
    std::size_t at = 0;
    while (const std::size_t taken = take_run(w, std::span(from.bytes).subspan(at, from.held - at))) at += taken;
    from.held -= at;
    std::memmove(from.bytes.data(), from.bytes.data() + at, from.held);
    return true;
  }

  std::size_t take_run(std::size_t w, std::span<const std::byte> bytes) {
    Run run;
    if (bytes.size() < sizeof run) return 0;
    std::memcpy(&run, bytes.data(), sizeof run);
    const std::size_t size = sizeof run + run.count * sizeof(std::uint64_t);
    if (bytes.size() < size) return 0;
    // Outcomes are made where they are about to be written: made all at once, they would come from memory twice.
    if (kept_ && run.first + run.count > outcomes_.size()) outcomes_.resize(run.first + run.count);
    std::uint64_t sum = 0, value = 0;
    for (std::uint64_t i = 0; i < run.count; ++i) {
      std::memcpy(&value, bytes.data() + sizeof run + i * sizeof value, sizeof value);
      sum = check_on(sum, value);
      const std::uint64_t task = run.first + i;
      outcomes_[kept_ ? task : task % window] = {value, 1, 1, static_cast<std::uint32_t>(w), 1};
    }
    answered_ += run.count;
    require_of_lanes(sum == run.sum, "a result was damaged");
    workers_.note_answered(w, run.count);
    return size;
  }

  Spare spare_;
  LaneWorkers workers_;
  std::uint64_t tasks_, dealt_ = 0, answered_ = 0;
  bool kept_;
  std::vector<Outcome> outcomes_;
  std::array<Incoming, workers> incoming_;
};

}  // namespace

namespace {

double deliver(const std::string& name, std::size_t tasks) {
  std::uint64_t right = 0;
  const double ns = ns_per_task(tasks, [&] {
    Stream stream(tasks, Stream::Outcomes::delivered);
    for (std::uint64_t i = 0; i < tasks; ++i) right += stream.next(i).value == square(i);
  });
  if (right != tasks) throw std::runtime_error(name + ": wrong results");
  return ns;
}

double keep(const std::string& name, std::size_t tasks) {
  std::vector<Outcome> outcomes;
  const double ns = ns_per_task(tasks, [&] { outcomes = Stream(tasks, Stream::Outcomes::kept).all(); });
  for (std::uint64_t i = 0; i < tasks; ++i)
    if (outcomes.at(i).value != square(i)) throw std::runtime_error(name + ": wrong results");
  return ns;
}

}  // namespace

std::vector<Peer> bare_streams(const Setting& setting) {
  const std::size_t tasks = setting.count(2'000'000);
  const auto peer = [tasks](const std::string& name, auto measure) {
    return one_figure(name, "ns a task", [=] { return measure(name, tasks); });
  };
  return {peer("bare lanes as a stream: made, checked, in order, ended", deliver),
          peer("bare lanes as a stream, outcomes kept", keep)};
}

}  // namespace bench
