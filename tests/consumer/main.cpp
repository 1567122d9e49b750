// The document's cases through the installed headers and library: on threads, by hand and in one call, and on
// processes.
#include <bulkhead/batch.hpp>
#include <bulkhead/process_pool.hpp>
#include <bulkhead/threaded_worker.hpp>
#include <bulkhead/work.hpp>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

static int failures = 0;

static void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("FAILED: %s\n", what);
  ++failures;
}

static std::string process_url(const std::string& url) { return "done " + url; }
static const std::vector<std::string> urls{"http://a/", "http://b/", "", "http://d/"};

static bool all_done(const std::vector<bulkhead::Outcome<std::string>>& results) {
  if (results.size() != urls.size()) return false;
  for (std::size_t i = 0; i < urls.size(); ++i) {
    if (!results[i] || *results[i] != process_url(urls[i])) return false;
  }
  return true;
}

static void threaded_workers_by_hand() {
  bulkhead::WorkQueue<std::string> work;
  bulkhead::WorkQueue<bulkhead::Outcome<std::string>> results;
  for (const std::string& url : urls) work.put(url);
  bulkhead::ThreadedWorker<std::string, std::string> first(work, results, process_url),
      second(work, results, process_url);
  first.start();
  second.start();
  work.join();
  first.join();
  second.join();
  std::size_t values = 0;
  while (!results.empty()) {
    const auto result = results.get(std::chrono::milliseconds(1000));
    values += result && result->has_value();
  }
  expect(values == urls.size(), "two ThreadedWorkers answer every url");
}

static void a_crash_costs_one_task() {
  std::vector<int> numbers(100);
  for (int i = 0; i < 100; ++i) numbers[static_cast<std::size_t>(i)] = i;
  const auto results = bulkhead::do_process_work(numbers,
                                                 [](int n) {
                                                   if (n == 42) std::raise(SIGSEGV);
                                                   return n * n;
                                                 },
                                                 {.num_workers = 2});
  bool others = true;
  for (std::size_t i = 0; i < results.size(); ++i) {
    others = others && (i == 42 || (results[i] && *results[i] == static_cast<int>(i * i)));
  }
  expect(results.size() == 100 && others, "99 of 100 tasks keep their value");
  expect(results[42].ending() == bulkhead::Ending::crashed && results[42].error().signal == SIGSEGV,
         "the task that crashed says so");
}

static void a_pool() {
  bulkhead::ProcessPool<int(int)> pool([](int n) {
    if (n == 2) std::raise(SIGKILL);
    return n * n;
  });
  expect(pool.submit(3).get().value() == 9, "a pool's future has its value");
  expect(pool.submit(2).get().ending() == bulkhead::Ending::crashed, "a pool's worker may die");
  expect(pool.submit(4).get().value() == 16, "and is replaced");
}

static void a_batch_tool() {
  std::string words[]{"consumer", "-q", "-k", ":::", "1", "2"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  const int factor = 3;
  const auto triple = [factor](long n) { return n * factor; };
  expect(bulkhead::batch_main(static_cast<int>(argv.size()), argv.data(), triple) == 0, "batch_main");
}

int main() {
  expect(all_done(bulkhead::do_threaded_work(urls, process_url)), "do_threaded_work");
  expect(all_done(bulkhead::do_threaded_work(urls, process_url, 2)), "do_threaded_work with the document's parameters");
  expect(all_done(bulkhead::do_process_work(urls, process_url)), "do_process_work");
  threaded_workers_by_hand();
  a_crash_costs_one_task();
  a_pool();
  a_batch_tool();
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
