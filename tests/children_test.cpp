// Who a process' children are, as the fork server asks it after every death: nobody may be overlooked.
#include <bulkhead/channel.hpp>
#include <bulkhead/work.hpp>

#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "os/child.hpp"
#include "os/descendants.hpp"
#include "os/fd.hpp"
#include "os/small_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <new>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

// They live until this does.
class Sleepers {
 public:
  explicit Sleepers(int count) {
    for (int i = 0; i < count; ++i) {
      auto child = os::fork_child();
      if (!child) {
        pipe_.write_end.reset();
        char nothing = 0;
        while (::read(pipe_.read_end.get(), &nothing, 1) > 0) {
        }
        os::leave_at_once(0);
      }
      children_.push_back(*std::move(child));
    }
  }
  ~Sleepers() {
    pipe_.write_end.reset();
    for (os::Child& child : children_) child.reap();
  }
  Sleepers(const Sleepers&) = delete;
  Sleepers& operator=(const Sleepers&) = delete;

  std::vector<int> pids() const {
    std::vector<int> all;
    for (const os::Child& child : children_) all.push_back(child.pid());
    return all;
  }

 private:
  os::Pipe pipe_ = os::make_pipe(os::default_pipe_capacity);
  std::vector<os::Child> children_;
};

bool any_besides(const os::OwnChildren& children, const std::vector<int>& known) {
  return children.any_besides([&](int pid) { return std::find(known.begin(), known.end(), pid) != known.end(); });
}

}  // namespace

TEST_CASE("a child that is not among those who are known is seen", "[children]") {
  const os::OwnChildren children;
  CHECK_FALSE(any_besides(children, {}));
  const Sleepers sleepers(3);
  const std::vector<int> all = sleepers.pids();
  CHECK_FALSE(any_besides(children, all));
  for (const int missing : all) {
    std::vector<int> others = all;
    std::erase(others, missing);
    CHECK(any_besides(children, others));
  }
}

TEST_CASE("of children whose list is too long to be looked through at once it is said that there may be others",
          "[children]") {
  const os::OwnChildren children;
  const Sleepers sleepers(700);  // two digits and a space each at the least
  CHECK(any_besides(children, sleepers.pids()));
  CHECK(children.now().size() == 700);
}

TEST_CASE("a file is read to its end, wherever that lies in the pieces that it is read by", "[children]") {
  const auto path = std::filesystem::temp_directory_path() / ("bulkhead-small-file-" + std::to_string(::getpid()));
  for (const std::size_t size : {0, 1, 2'047, 2'048, 2'049, 4'095, 4'096, 4'097, 6'144, 6'145, 8'192, 20'000}) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
    std::ofstream(path, std::ios::binary) << text;
    CHECK(os::read_small_file(path.string()) == text);
  }
  std::filesystem::remove(path);
}

TEST_CASE("more workers at once than the fork server has place for in its frame: each death is told of", "[children]") {
  const NothingLeftBehind check;
  const SharedRegion region(sizeof(std::atomic<int>));
  auto& there = *::new (static_cast<void*>(region.bytes().data())) std::atomic<int>(0);
  const auto task = [&](int n) {
    if (n < 40) ++there;
    while (there < 40) std::this_thread::yield();  // so many have been born, and live
    if (n % 4 == 3) misbehave(Way::bad_store);
    return n;
  };
  const auto outcomes = do_process_work(std::views::iota(0, 400), task, {.num_workers = 50, .task_timeout = 60s});
  for (int n = 0; n < 400; ++n) {
    const auto& outcome = outcomes[static_cast<std::size_t>(n)];
    REQUIRE(outcome.ending() == (n % 4 == 3 ? Ending::crashed : Ending::value));
    if (outcome) REQUIRE(*outcome == n);
  }
}
