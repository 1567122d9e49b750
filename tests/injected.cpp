// A small program of the library's, for having its system calls fail one by one: batch, then pool, each judged by
// itself.
//
// Exit status 0: all as it should be; 3: some of it was refused with a clear error; 1: a wrong outcome.
#include <bulkhead/process_pool.hpp>
#include <bulkhead/work.hpp>

#include <cstdio>
#include <exception>
#include <numeric>
#include <string>
#include <system_error>
#include <vector>

namespace {

using namespace bulkhead;

constexpr int tasks = 12;

int work(const std::string& item) {
  if (item == "3") std::abort();
  return std::stoi(item.substr(0, 6));
}

// One item that is too large for a lane, so that the arena is used.
std::vector<std::string> items() {
  std::vector<std::string> all;
  for (int n = 0; n < tasks; ++n) all.push_back(std::to_string(n));
  all[5] = "000005" + std::string(100'000, 'x');
  return all;
}

int judge(int n, const Outcome<int>& outcome) {
  if (outcome) return n != 3 && *outcome == n ? 0 : 1;
  if (n == 3 && outcome.ending() == Ending::crashed) return 0;
  std::printf("task %d: %s\n", n, outcome.error().describe().c_str());
  const bool refused = outcome.ending() == Ending::abandoned || outcome.ending() == Ending::out_of_memory ||
                       (outcome.ending() == Ending::exception && outcome.error().type == "std::bad_alloc");
  return refused && !outcome.error().what.empty() ? 3 : 1;
}

template <class Do>
int try_it(const char* name, Do do_it) {
  int worst = 0;
  try {
    const std::vector<Outcome<int>> outcomes = do_it();
    if (outcomes.size() != tasks) return 1;
    for (int n = 0; n < tasks; ++n) {
      const int verdict = judge(n, outcomes[static_cast<std::size_t>(n)]);
      if (verdict != 0 && worst != 1) worst = verdict;
    }
  } catch (const std::system_error& e) {
    std::printf("%s: refused: %s\n", name, e.what());
    worst = 3;
  } catch (const std::bad_alloc&) {
    std::printf("%s: refused: no memory\n", name);
    worst = 3;
  }
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string which = argc > 1 ? argv[1] : "";
  if (which == "nothing") return 0;
  const WorkOptions options{.num_workers = 2, .first_worker_directly = which == "first worker directly"};
  try {
    if (which != "pool") return try_it("do_process_work", [&] { return do_process_work(items(), work, options); });
    return try_it("ProcessPool", [&] {
      ProcessPool<int(std::string)> pool(work, options);
      return pool.map(items());
    });
  } catch (const std::exception& e) {
    std::printf("thrown: %s\n", e.what());
    return 1;
  }
}
