// One task at a time: what it costs to hand one over, wait for it, and only then think of the next.
#include "bare_chain.hpp"
#include "subject.hpp"

#include <bulkhead/process_pool.hpp>

#include <stdexcept>

namespace {

constexpr const char* ours = "bulkhead ProcessPool, submit(...).get()";
constexpr const char* floor_name = "bare chain: the same wake-ups and nothing else (the floor)";

std::uint64_t square(std::uint64_t x) { return x * x; }

// `ask` is called once before the clock starts: the worker has started.
template <class Ask>
double us_each(std::size_t tasks, Ask&& ask) {
  bool right = ask(3) == 9;
  const double elapsed = bench::seconds([&] {
    for (std::uint64_t i = 0; i < tasks; ++i) right &= ask(i) == square(i);
  });
  if (!right) throw std::runtime_error("a result is wrong");
  return elapsed * 1e6 / static_cast<double>(tasks);
}

double run_pool(std::size_t tasks, std::size_t worker_count) {
  bulkhead::ProcessPool<std::uint64_t(std::uint64_t)> pool(square, {.num_workers = worker_count});
  return us_each(tasks, [&](std::uint64_t i) { return pool.submit(i).get().value(); });
}

double run_floor(std::size_t tasks) {
  bench::BareChain chain;
  return us_each(tasks, [&](std::uint64_t i) { return chain.ask(i); });
}

bench::Subject single(const bench::Setting& setting) {
  const std::size_t tasks = setting.count(20'000);
  return {"single",
          "one task at a time, 8 bytes each way",
          {bench::one_figure(floor_name, "us a task", [=] { return run_floor(tasks); }),
           bench::one_figure(ours, "us a task", [=] { return run_pool(tasks, 1); }),
           bench::one_figure(std::string(ours) + ", two workers", "us a task", [=] { return run_pool(tasks, 2); })},
          {{"pool / bare chain", ours, bench::Goal::Compare::times, floor_name, bench::Goal::Bound::at_most, 1.3}}};
}

}  // namespace

int main(int argc, char** argv) { return bench::subject_main(argc, argv, single); }
