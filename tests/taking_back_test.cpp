// Tasks are taken back from a worker that is claiming them at the same moment, item by item and row by row: each is
// executed once, here or elsewhere, and the coordinator knows where.
#include "os/remote_fence.hpp"
#include "outbox_ends.hpp"
#include "process/worker.hpp"

#include "catch.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>
#include <utility>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::ipc;

namespace {

enum class Answer : std::uint8_t { none, done, declined };
using Answers = std::vector<std::atomic<Answer>>;  // by task

// Claims as a worker does, and says by each task what it did.
class Claimer {
 public:
  Claimer(LaneReader lane, WorkerPage& page, Answers& answers) : lane_(lane), page_(page), answers_(answers) {}

  // The next item, if it was published. False: it was not.
  bool step() {
    if (!claim()) return false;
    look();
    return true;
  }
  bool claim() {
    while (item_ == count_) {  // filler has none
      if (next_ == lane_.tail()) return false;
      head_ = next_;
      next_ += lane_.at(head_).bytes();  // once all of it is answered, something else may stand there
      count_ = lane_.at(head_).count;
      item_ = 0;
    }
    page_.claim(place(), outbox_ends::stream_seed, os::has_remote_fences());
    return true;
  }
  void look() {
    const Row& row = lane_.at(head_);
    const bool declined = LaneReader::taken_back(row, item_);
    page_.move_to(place(), declined ? Phase::between : Phase::running, outbox_ends::stream_seed);
    answers_[row.task + item_].store(declined ? Answer::declined : Answer::done);
    ++item_;
  }

 private:
  std::uint64_t place() const { return head_ + sizeof(Row) + item_ * lane_.at(head_).pitch(); }

  LaneReader lane_;
  WorkerPage& page_;
  Answers& answers_;
  std::uint64_t head_ = 0, next_ = 0;
  std::size_t item_ = 0, count_ = 0;  // of the row at head_
};

// One lane, and what the coordinator does with it.
class Dealer {
 public:
  explicit Dealer(std::size_t tasks)
      : answers(tasks),
        memory_(remains_.map(Access::read_write)),
        page(make_worker_page(memory_.data())),
        worker(1, outbox_ends::stream_seed, 0, queue_.open_lane(0),
               Inbox(remains_.map(Access::read_only), std::move(pipe_.read_end), outbox_ends::stream_seed,
                     outbox_ends::payload_limit),
               Pace()),
        elsewhere_(tasks) {
    page.move_to(0, Phase::between, outbox_ends::stream_seed);
  }
  Claimer claimer() { return Claimer(view_.lane(), page, answers); }

  void deal(std::size_t count, std::size_t size) {
    count = std::min(count, answers.size() - dealt_);
    if (count == 0 || worker.lane().room() == nullptr) return;
    worker.lane().put(dealt_, 1, size, count);
    worker.outstanding += count;
    worker.dealt += count;
    dealt_ += count;
    worker.publish(std::chrono::nanoseconds(1));
  }
  std::size_t take_back(std::size_t most) {
    std::size_t taken = 0;
    worker.take_back(most, [&](const Record& record) {
      ++taken;
      elsewhere(record.task());
    });
    return taken;
  }
  // As far as the worker has answered.
  void settle() {
    for (Record front = worker.lane().front(); front; front = worker.lane().front()) {
      const Answer answer = answers[front.task()].load();
      if (answer == Answer::none) return;
      if (front.mark() == Mark::moved) {
        right &= answer == Answer::declined;
      } else {
        --worker.outstanding;
        if (answer == Answer::declined) {
          right &= front.mark() == Mark::asked;
          elsewhere(front.task());
        }
      }
      worker.lane().pop();
      ++settled;
    }
  }
  bool all_settled() const { return settled == answers.size(); }
  // Every task was done by the worker, or went elsewhere, and never both.
  bool each_once() const {
    for (std::size_t i = 0; i < answers.size(); ++i)
      if ((answers[i].load() == Answer::done ? 1 : 0) + elsewhere_[i] != 1) return false;
    return true;
  }

  Answers answers;

 private:
  void elsewhere(std::uint64_t task) { ++elsewhere_[task]; }

  outbox_ends::Remains remains_;
  Mapping memory_;
  os::Pipe pipe_ = os::make_pipe(4096);
  TaskQueue queue_{1, 1 << 20};
  TaskQueueView view_{queue_, 0};

 public:
  WorkerPage& page;
  process::Worker worker;
  bool right = true;
  std::size_t settled = 0;

 private:
  std::size_t dealt_ = 0;
  std::vector<int> elsewhere_;
};

}  // namespace

TEST_CASE("tasks are taken back from the end of a row, and the worker keeps the others", "[taking back]") {
  Dealer dealer(10);
  Claimer claimer = dealer.claimer();
  dealer.deal(6, 8);
  dealer.deal(4, 8);
  REQUIRE(claimer.step());
  REQUIRE(claimer.step());
  CHECK(dealer.take_back(5) == 5);  // all of the second row, and one of the first
  CHECK(dealer.worker.outstanding == 5);
  CHECK(dealer.take_back(1) == 1);
  while (claimer.step()) {
  }
  dealer.settle();
  CHECK(dealer.worker.outstanding == 0);
  CHECK(dealer.right);
  CHECK(dealer.each_once());
  for (std::size_t i = 0; i < 10; ++i) CHECK(dealer.answers[i] == (i < 4 ? Answer::done : Answer::declined));
}

TEST_CASE("no more is taken back than the worker has not begun", "[taking back]") {
  Dealer dealer(5);
  Claimer claimer = dealer.claimer();
  dealer.deal(5, 0);
  REQUIRE(claimer.step());
  REQUIRE(claimer.claim());
  CHECK(dealer.take_back(100) == 3);
  claimer.look();  // it had claimed it before
  while (claimer.step()) {
  }
  CHECK(dealer.take_back(100) == 0);
  dealer.settle();
  CHECK(dealer.answers[1] == Answer::done);
  CHECK(dealer.each_once());
}

TEST_CASE("tasks are taken back from a worker that is claiming them", "[taking back]") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  os::accept_remote_fences();
  Dealer dealer(2'000'000);
  std::atomic<bool> over = false;
  std::thread claiming([&, claimer = dealer.claimer()]() mutable {
    while (!over) claimer.step();
  });
  std::size_t taken = 0;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!dealer.all_settled() && std::chrono::steady_clock::now() < give_up) {
    for (auto rows = random() % 4; rows != 0; --rows) dealer.deal(1 + random() % 64, random() % 25);
    taken += dealer.take_back(random() % 100);
    dealer.settle();
  }
  over = true;
  claiming.join();
  CHECK(dealer.all_settled());
  CHECK(dealer.right);
  CHECK(dealer.each_once());
  CHECK(dealer.worker.outstanding == 0);
  CHECK(taken != 0);
}
