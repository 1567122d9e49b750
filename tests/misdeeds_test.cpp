// What workers do to what they have, and every kind of ending at once: each costs its own task, and no other.
#include "hosts.hpp"
#include "leavers.hpp"

#include <bulkhead/task.hpp>

#include <sys/stat.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

void close_everything() { ::close_range(0, ~0u, 0); }

void check_all_but(int culprit, const std::vector<Outcome<int>>& results) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (static_cast<int>(i) == culprit) continue;
    REQUIRE(results[i].value() == static_cast<int>(i));
    REQUIRE(results[i].stats().attempts == 1);
  }
}

}  // namespace

namespace {

bool exits_as_told() {
#if defined(__SANITIZE_ADDRESS__)
  WARN("skipped: LeakSanitizer looks round at exit() and changes the code, and no limit on memory can be had");
  return false;
#else
  return true;
#endif
}

}  // namespace

TEMPLATE_TEST_CASE("a task that floods its pipe is ended in its time, and delays nobody's deadline", "[misdeeds]",
                   AsBatch, AsPool) {
  const NothingLeftBehind check;
  const bool deaf = GENERATE(false, true);
  WorkOptions options{.num_workers = 2, .task_timeout = 500ms, .kill_grace = 200ms};
  std::map<std::uint64_t, std::chrono::steady_clock::time_point> begun;
  std::map<std::uint64_t, std::chrono::steady_clock::duration> took;
  std::uint64_t output = 0;
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::task_started) begun[event.task] = event.when;
    if (event.kind == EventKind::task_output) output += event.output.size();
    if (event.kind == EventKind::task_finished && begun.contains(event.task))
      took[event.task] = event.when - begun[event.task];
  };
  const auto results = TestType::template map<int>(
      up_to(30),
      [&](int n) {
        if (n == 1) {
          if (deaf) std::signal(SIGTERM, SIG_IGN);
          const std::vector<std::byte> block(30'000);
          for (;;) emit_output(1, block);
        }
        if (n == 2 || n == 10) misbehave(Way::hangs);
        return n;
      },
      options);
  CHECK(output > 0);
  constexpr auto promised = 500ms + 200ms + 1s;
  for (int n = 0; n < 30; ++n) {
    const auto& outcome = results[static_cast<std::size_t>(n)];
    if (n == 1 || n == 2 || n == 10) {
      CHECK(outcome.ending() == Ending::timed_out);
      CHECK(took.at(static_cast<std::uint64_t>(n)) < promised);
    } else {
      CHECK(outcome.value() == n);
    }
  }
}

TEMPLATE_TEST_CASE("a worker closes all descriptors that it has", "[misdeeds]", AsBatch, AsPool) {
  if (!exits_as_told()) return;
  const NothingLeftBehind check;
  const std::size_t workers = GENERATE(std::size_t{1}, std::size_t{2});
  constexpr int culprit = 20;
  const Way way = GENERATE(Way::exits_0, Way::exits_7, Way::bad_store, Way::killed, Way::hangs);
  const auto results =
      TestType::template map<int>(up_to(100),
                                  [&](int n) {
                                    if (n == culprit) {
                                      close_everything();
                                      misbehave(way);
                                    }
                                    return n;
                                  },
                                  {.num_workers = workers, .task_timeout = 500ms, .kill_grace = 100ms});
  check_all_but(culprit, results);
  const Ending expected = way == Way::hangs                            ? Ending::timed_out
                          : way == Way::exits_0 || way == Way::exits_7 ? Ending::exited
                                                                       : Ending::crashed;
  CHECK(to_string(results[culprit].ending()) == to_string(expected));
}

TEMPLATE_TEST_CASE("a worker that closes all descriptors and goes on keeps its own results, or loses its own task",
                   "[misdeeds]", AsBatch, AsPool) {
  const NothingLeftBehind check;
  constexpr int culprit = 20;
  const auto results = TestType::template map<int>(up_to(100),
                                                   [&](int n) {
                                                     if (n == culprit) close_everything();
                                                     return n;
                                                   },
                                                   {.num_workers = 2, .task_timeout = 5s, .kill_grace = 100ms});
  check_all_but(culprit, results);
  if (results[culprit])
    CHECK(*results[culprit] == culprit);
  else
    CHECK(results[culprit].ending() != Ending::timed_out);
}

namespace {

ino_t pipe_behind(int fd) {
  struct stat about {};
  return ::fstat(fd, &about) == 0 && S_ISFIFO(about.st_mode) ? about.st_ino : 0;
}

// Not a pipe on which the test itself is heard, or hears of its host.
bool is_fair_game(int fd, const Complaints& complaints) {
  const ino_t pipe = pipe_behind(fd);
  for (const int spared : {0, 1, 2, complaints.descriptor()})
    if (pipe_behind(spared) == pipe) return false;
  return pipe != 0;
}

std::vector<int> open_descriptors() {
  std::vector<int> open;
  for (const std::string& name : names_in("/proc/self/fd"))
    if (name[0] != '.') open.push_back(std::stoi(name));
  return open;
}

// A grandchild that has left the group and has the pipe's writing end, like everything else of its parent's.
void leave_grandchild(bool scribbles, const Gate& there, const Complaints& complaints) {
  if (::fork() != 0) return there.pass();
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  std::signal(SIGPIPE, SIG_IGN);
  for (const int fd : open_descriptors()) static_cast<void>(::dup(fd));
  there.open();
  if (!scribbles) stay();
  for (const std::vector<int> open = open_descriptors();;)
    for (const int fd : open)
      if (is_fair_game(fd, complaints)) static_cast<void>(!::write(fd, "garbage!garbage!", 16));
}

}  // namespace

TEMPLATE_TEST_CASE("a grandchild that holds the pipe, or writes into it, harms the task that left it alone",
                   "[misdeeds]", AsBatch, AsPool) {
  const NothingLeftBehind check;
  const bool scribbles = GENERATE(false, true);
  const bool crashes = GENERATE(false, true);
  constexpr int culprit = 20;
  Host host([&](const Complaints& complaints) {
    const Gate there;
    const auto results = TestType::template map<int>(up_to(60),
                                                     [&](int n) {
                                                       if (n == culprit) leave_grandchild(scribbles, there, complaints);
                                                       if (n == culprit && crashes) misbehave(Way::killed);
                                                       return n;
                                                     },
                                                     {.num_workers = 2, .task_timeout = 10s});
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::string who = "task " + std::to_string(i) + ": " + (results[i] ? "" : results[i].error().describe());
      if (i != culprit)
        complaints.expect(results[i] && *results[i] == static_cast<int>(i), who);
      else if (!scribbles)
        complaints.expect(results[i].ending() == (crashes ? Ending::crashed : Ending::value), who);
      else
        complaints.expect(results[i].ending() != Ending::timed_out, who);
    }
  });
  check_no_complaints(host);
}

namespace {

// A result that cannot be read where it says so.
struct BreakableAnswer {
  int n = 0;
  bool broken = false;
  template <class Archive>
  void save(Archive& archive) const {
    archive(n, broken);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(n, broken);
    if (broken) throw std::runtime_error("this cannot be an answer");
  }
};

struct LargeAnswer {
  BreakableAnswer answer;
  std::string text;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(answer, text);
  }
};

// A sanitizer's own handlers would exit instead.
void leave_it_to_the_kernel(int signal) {
#if defined(__SANITIZE_ADDRESS__)
  std::signal(signal, SIG_DFL);
#endif
  static_cast<void>(signal);
}

#if defined(__x86_64__)
void trap() { __asm__ volatile("int3"); }
void execute_nonsense() {
  leave_it_to_the_kernel(SIGILL);
  __asm__ volatile("ud2");
}
void divide_by_nothing() {
  leave_it_to_the_kernel(SIGFPE);
  __asm__ volatile("xorl %%edx, %%edx\n\tmovl $1, %%eax\n\txorl %%ecx, %%ecx\n\tidivl %%ecx" ::
                       : "eax", "ecx", "edx", "cc");
}
#else
void trap() { ::raise(SIGTRAP); }
void execute_nonsense() {
  leave_it_to_the_kernel(SIGILL);
  ::raise(SIGILL);
}
void divide_by_nothing() {
  leave_it_to_the_kernel(SIGFPE);
  ::raise(SIGFPE);
}
#endif
void end_by_bus_error() {
  leave_it_to_the_kernel(SIGBUS);
  ::raise(SIGBUS);
}

// As much as the limit lets it, and then what `new` throws. Untouched: the limit counts what is had, and where pages
// are dear to touch the task would run into its time first.
void use_up_memory() {
  std::vector<std::unique_ptr<std::byte[]>> blocks;
  for (;;) blocks.push_back(std::make_unique_for_overwrite<std::byte[]>(1 << 20));
}

// One task of each kind, and what must become of it.
struct Kind {
  const char* name;
  std::function<void(LargeAnswer&)> what;
  Ending ending;
  int signal = 0;
  int exit_code = -1;
};

const std::vector<Kind>& kinds() {
  using A = LargeAnswer&;
  static const std::vector<Kind> all{
      {"throws", [](A) { misbehave(Way::throws); }, Ending::exception},
      {"throws an int", [](A) { throw 7; }, Ending::exception},
      {"exit(0)", [](A) { misbehave(Way::exits_0); }, Ending::exited, 0, 0},
      {"_exit(7)", [](A) { misbehave(Way::exits_7); }, Ending::exited, 0, 7},
      {"a bad store", [](A) { misbehave(Way::bad_store); }, Ending::crashed, SIGSEGV},
      {"abort", [](A) { misbehave(Way::aborts); }, Ending::crashed, SIGABRT},
      {"std::terminate", [](A) { misbehave(Way::terminates); }, Ending::crashed, SIGABRT},
      {"a division by zero", [](A) { divide_by_nothing(); }, Ending::crashed, SIGFPE},
      {"an instruction that is none", [](A) { execute_nonsense(); }, Ending::crashed, SIGILL},
      {"a breakpoint", [](A) { trap(); }, Ending::crashed, SIGTRAP},
      {"SIGBUS", [](A) { end_by_bus_error(); }, Ending::crashed, SIGBUS},
      {"a stack overflow", [](A) { misbehave(Way::overflows); }, Ending::crashed, SIGSEGV},
      {"SIGKILL", [](A) { misbehave(Way::killed); }, Ending::crashed, SIGKILL},
      {"SIGTERM", [](A) { ::raise(SIGTERM); }, Ending::crashed, SIGTERM},
      {"hangs", [](A) { misbehave(Way::hangs); }, Ending::timed_out},
      {"stops", [](A) { misbehave(Way::stops); }, Ending::timed_out},
      {"uses up its memory", [](A) { use_up_memory(); }, Ending::out_of_memory},
      {"too much to say", [](A answer) { answer.text.assign(2u << 20, 'x'); }, Ending::too_large},
      {"an answer that cannot be read", [](A answer) { answer.answer.broken = true; }, Ending::protocol_error},
      {"closes all and leaves",
       [](A) {
         close_everything();
         ::_exit(3);
       },
       Ending::exited, 0, 3},
  };
  return all;
}

constexpr int in_all = 400;

// Tasks 7, 26, 45, ...: neither the first nor the last, and in no order that the workers' number divides.
const Kind* kind_of(int n) {
  const int place = (n - 7) / 19;
  return n >= 7 && (n - 7) % 19 == 0 && place < static_cast<int>(kinds().size())
             ? &kinds()[static_cast<std::size_t>(place)]
             : nullptr;
}

LargeAnswer answer(int n) {
  LargeAnswer answer{{n, false}, {}};
  if (const Kind* const kind = kind_of(n)) kind->what(answer);
  return answer;
}

void check_kind(const Kind& kind, const Outcome<LargeAnswer>& outcome) {
  CAPTURE(kind.name);
  CHECK(outcome.stats().attempts == 1);
  REQUIRE_FALSE(outcome.has_value());
  CAPTURE(outcome.error().describe());
  CHECK(to_string(outcome.ending()) == to_string(kind.ending));
  if (kind.ending == Ending::crashed) CHECK(outcome.error().signal == kind.signal);
  if (kind.ending == Ending::exited) CHECK(outcome.error().exit_code == kind.exit_code);
}

WorkOptions options_for_kinds(std::size_t workers) {
  return {.num_workers = workers,
          .task_timeout = 2s,
          .kill_grace = 100ms,
          .memory_limit = 64u << 20,
          .max_result_bytes = 1u << 20};
}

void check_answers(const std::vector<Outcome<LargeAnswer>>& results) {
  REQUIRE(results.size() == in_all);
  for (int n = 0; n < in_all; ++n) {
    const auto& outcome = results[static_cast<std::size_t>(n)];
    if (const Kind* const kind = kind_of(n)) {
      check_kind(*kind, outcome);
    } else {
      CAPTURE(n);
      REQUIRE(outcome.has_value());
      CHECK(outcome->answer.n == n);
      CHECK(outcome.stats().attempts == 1);
    }
  }
}

}  // namespace

TEST_CASE("every kind of ending among 400 tasks, in a batch: each its own, and all others values", "[misdeeds]") {
  if (!exits_as_told()) return;
  const NothingLeftBehind check;
  const std::size_t workers = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{8});
  check_answers(do_process_work(up_to(in_all), answer, options_for_kinds(workers)));
}

TEST_CASE("every kind of ending among 400 tasks, in no order", "[misdeeds]") {
  if (!exits_as_told()) return;
  const NothingLeftBehind check;
  const std::size_t workers = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{8});
  WorkOptions options = options_for_kinds(workers);
  options.preserve_result_ordering = false;
  std::vector<Outcome<LargeAnswer>> results(in_all);
  std::size_t ended = 0;
  for (auto& [index, outcome] : process_stream(up_to(in_all), answer, options)) {
    REQUIRE(index < in_all);
    results[index] = std::move(outcome);
    ++ended;
  }
  CHECK(ended == in_all);
  check_answers(results);
}

TEST_CASE("every kind of ending among 400 tasks, in a pool", "[misdeeds]") {
  if (!exits_as_told()) return;
  const NothingLeftBehind check;
  const std::size_t workers = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{8});
  ProcessPool<LargeAnswer(int)> pool(answer, options_for_kinds(workers));
  check_answers(pool.map(up_to(in_all)));
}
