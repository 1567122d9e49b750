#include "bare_lane.hpp"

#include <bulkhead/outcome.hpp>

#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace bench {

namespace {

struct Result {
  std::uint64_t task, value;
};

class ResultOutbox {
 public:
  ResultOutbox(LanePage& page, int pipe) : bytes_(page.outbox), pipe_(pipe) {}
  void put(std::uint64_t task, std::uint64_t value) {
    const Result result{task, value};
    std::memcpy(bytes_.data() + used_, &result, sizeof result);
    used_ += sizeof result;
  }
  bool full() const { return used_ >= batch_bytes; }
  void flush() { write_or_leave(pipe_, bytes_.first(std::exchange(used_, 0))); }

 private:
  std::span<std::byte> bytes_;
  int pipe_;
  std::size_t used_ = 0;
};

// What is kept of a task: its value, or an outcome that has room for what the attempt cost, in memory that is touched
// for the first time.
using Value = std::uint64_t;
struct Outcome {
  std::uint64_t value = 0;
  std::uint32_t waited = 0, ran = 0, worker = 0, state = 0;
};
static_assert(sizeof(Outcome) == sizeof(bulkhead::Outcome<std::uint64_t>));

void keep(Value& place, std::uint64_t value, std::size_t) { place = value; }
void keep(Outcome& place, std::uint64_t value, std::size_t worker) {
  place = {value, 1, 1, static_cast<std::uint32_t>(worker), 1};
}
std::uint64_t value_of(Value kept) { return kept; }
std::uint64_t value_of(const Outcome& kept) { return kept.value; }

template <class Kept>
class Lanes {
 public:
  explicit Lanes(std::size_t tasks)
      : workers_([](Lane& lane, LanePage& page, int pipe) { serve_lane(lane, page, ResultOutbox(page, pipe)); }),
        tasks_(tasks) {
    // After the forks: pages shared with children would be copied at the first store.
    results_.reserve(tasks);
    if constexpr (std::is_same_v<Kept, Outcome>)
      advise_huge(results_.data(), tasks * sizeof(Outcome));
    else
      results_.resize(tasks);
    buffer_.resize(256u << 10);
  }

  void run() {
    for (std::uint64_t next = 0; done_ < tasks_;) {
      workers_.fill(next, tasks_);
      bool any = false;
      for (std::size_t w = 0; w < workers; ++w) any |= take(w);
      if (!any) workers_.wait_for_results();
    }
  }
  std::vector<std::uint64_t> results() const {
    std::vector<std::uint64_t> values;
    for (const Kept& kept : results_) values.push_back(value_of(kept));
    return values;
  }

 private:
  bool take(std::size_t w) {
    const std::size_t n = workers_.read(w, buffer_);
    const std::size_t count = n / sizeof(Result);
    if (count == 0) return false;
    require_of_lanes(count * sizeof(Result) == n, "a result was cut");
    const auto result_at = [this](std::size_t i) {
      Result result;
      std::memcpy(&result, buffer_.data() + i * sizeof result, sizeof result);
      return result;
    };
    // Outcomes are made where they are about to be written: made all at once, they would come from memory twice.
    const std::size_t known = static_cast<std::size_t>(result_at(count - 1).task) + 1;  // a worker's tasks ascend
    if (known > results_.size()) results_.resize(known);
    for (std::size_t i = 0; i < count; ++i) {
      const Result result = result_at(i);
      keep(results_[result.task], result.value, w);
    }
    workers_.note_answered(w, count);
    done_ += count;
    return true;
  }

  LaneWorkers workers_;
  std::uint64_t done_ = 0;
  std::size_t tasks_;
  std::vector<Kept> results_;
  std::vector<std::byte> buffer_;
};

template <class Kept>
Peer lanes_peer(std::string name, std::size_t tasks) {
  auto measure = [name, tasks] {
    Lanes<Kept> lanes(tasks);
    const double ns = ns_per_task(tasks, [&] { lanes.run(); });
    check_squares(name, lanes.results());
    return ns;
  };
  return one_figure(name, "ns a task", measure);
}

}  // namespace

std::vector<Peer> bare_lanes(const Setting& setting) {
  const std::size_t tasks = setting.count(2'000'000);
  return {lanes_peer<Value>("bare lanes, no library (the floor)", tasks),
          lanes_peer<Outcome>("bare lanes, outcomes kept", tasks)};
}

}  // namespace bench
