// What the system refuses: processes, descriptors, memory, all of it. Fewer workers or a clear error.
#include "hosts.hpp"
#include "let_pass.hpp"
#include "single_pass_range.hpp"

#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <set>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

void lower(decltype(RLIMIT_AS) which, rlim_t to) {
  const rlimit limit{to, to};
  if (::setrlimit(which, &limit) != 0) ::_exit(9);
}

struct Counts {
  std::atomic<int> started{0}, refused{0};
  std::string why;
  void follow(const Event& event) {
    started += event.kind == EventKind::worker_started;
    if (event.kind != EventKind::worker_refused) return;
    ++refused;
    why = event.failure->what;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("32 descriptors and 64 workers wanted: fewer do it, and it is said", "[shortage]", AsBatch, AsPool) {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    lower(RLIMIT_NOFILE, 32);
    Counts counts;
    WorkOptions options{.num_workers = 64};
    options.on_event = [&](const Event& event) { counts.follow(event); };
    expect_as_if_nothing_was<TestType>(complaints, always, options);
    complaints.expect(counts.started > 0 && counts.refused > 0, "nothing was refused");
    complaints.expect(counts.why.find("Too many open files") != std::string::npos, "refused: " + counts.why);
  });
  check_no_complaints(host);
}

TEMPLATE_TEST_CASE("no descriptor at all is a clear error, at any number of them", "[shortage]", AsBatch, AsPool) {
  const NothingLeftBehind check;
  for (rlim_t granted = 3; granted < 32; ++granted) {
    CAPTURE(granted);
    Host host([granted](const Complaints& complaints) {
      lower(RLIMIT_NOFILE, granted);
      WorkOptions options{.num_workers = 2};
      options.respawn.limit = 1;
      try {
        const auto outcomes = TestType::template map<int>(
            up_to(20), [](int n) { return n; }, options);
        for (std::size_t i = 0; i < outcomes.size(); ++i)
          complaints.expect(outcomes[i] ? *outcomes[i] == static_cast<int>(i)
                                        : outcomes[i].ending() == Ending::abandoned &&
                                              outcomes[i].error().what.find("Too many open files") != std::string::npos,
                            "task " + std::to_string(i) + ": " + (outcomes[i] ? "" : outcomes[i].error().describe()));
      } catch (const std::system_error& e) {
        complaints.expect(e.code().value() == EMFILE, e.what());
      }
    });
    check_no_complaints(host);
  }
}

namespace {

// A user who has no other process. Root may fork whatever the limit is.
void be_nobody_else() {
  const uid_t unused = 60'600 + static_cast<uid_t>(::getpid()) % 500;
  if (::geteuid() == 0 && ::setresuid(unused, unused, unused) != 0) ::_exit(9);
}

void forbid_forks(long pid) {
  const rlimit one{1, 1};
  if (pid > 1) ::prlimit(static_cast<pid_t>(pid), RLIMIT_NPROC, &one, nullptr);
}

}  // namespace

TEST_CASE("no process can be forked at all: a clear error at the start", "[shortage]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    be_nobody_else();
    forbid_forks(::getpid());
    try {
      do_process_work(up_to(5), [](int n) { return n; }, {.num_workers = 2});
      complaints.say("it was forked all the same");
    } catch (const std::system_error& e) {
      complaints.expect(e.code().value() == EAGAIN && std::string(e.what()).starts_with("fork"), e.what());
    }
  });
  check_no_complaints(host);
}

TEMPLATE_TEST_CASE("no worker can be forked: given up after some refusals, with the reason", "[shortage]", AsBatch,
                   AsPool) {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    be_nobody_else();
    Counts counts;
    WorkOptions options{.num_workers = 2};
    options.respawn.limit = 3;
    options.on_event = [&](const Event& event) {
      counts.follow(event);
      if (event.kind == EventKind::fork_server_started) forbid_forks(event.process);
    };
    for (const auto& outcome : TestType::template map<int>(
             up_to(20), [](int n) { return n; }, options)) {
      const std::string words = outcome ? "a value" : outcome.error().describe();
      complaints.expect(outcome.ending() == Ending::abandoned && words.find("fork") != std::string::npos, words);
    }
    complaints.expect(counts.started == 0 && counts.refused > 0 && counts.refused < 20,
                      std::to_string(counts.refused) + " refusals");
  });
  check_no_complaints(host);
}

TEMPLATE_TEST_CASE("no second worker can be forked: one does it all, and is asked to be", "[shortage]", AsBatch,
                   AsPool) {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    be_nobody_else();
    Counts counts;
    long server = 0;
    WorkOptions options{.num_workers = 4};
    options.on_event = [&](const Event& event) {
      counts.follow(event);
      if (event.kind == EventKind::fork_server_started) server = event.process;
      if (event.kind == EventKind::worker_started) forbid_forks(server);
    };
    const auto outcomes = TestType::template map<int>(
        up_to(300), [](int n) { return n; }, options);
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      complaints.expect(outcomes[i] && *outcomes[i] == static_cast<int>(i), "task " + std::to_string(i));
    complaints.expect(counts.started >= 1, "no worker");
  });
  check_no_complaints(host);
}

TEST_CASE("no spare can be forked: it is asked for now and then, and not all the time", "[shortage]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    be_nobody_else();
    Counts counts;
    long server = 0;
    WorkOptions options{.num_workers = 1};
    options.on_event = [&](const Event& event) {
      counts.follow(event);
      if (event.kind == EventKind::fork_server_started) server = event.process;
      if (event.kind == EventKind::worker_started && counts.started == 2) forbid_forks(server);
    };
    const std::vector<int> items{0, 1};
    const auto crash_or_stay = [](int n) {
      if (n == 0) crash_by(SIGKILL);
      let_pass(1500ms);
      return n;
    };
    auto stream = process_stream(items, crash_or_stay, options);
    std::size_t right = 0;
    for (const auto& [index, outcome] : stream) right += index == 0 ? !outcome : outcome && *outcome == 1;
    complaints.expect(right == 2, "wrong outcomes");
    complaints.expect(counts.started == 2 && counts.refused == 0, "a spare was told of");
    const std::uint64_t wakeups = stream.statistics().coordinator_wakeups;
    complaints.expect(wakeups < 200, "woken " + std::to_string(wakeups) + " times");
  });
  check_no_complaints(host);
}

namespace {

[[maybe_unused]] std::uint64_t size_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmSize:")) return std::stoull(line.substr(7));
  return 0;
}

// All right, or refused in so many words.
template <class Way>
void expect_values_or_words(const Complaints& complaints) {
  WorkOptions options{.num_workers = 3};
  options.respawn.limit = 2;
  try {
    const auto outcomes = Way::template map<std::string>(
        up_to(30), [](int n) { return std::string(200'000, static_cast<char>('a' + n % 26)); }, options);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const auto& outcome = outcomes[i];
      const std::string words = outcome ? "a wrong value" : outcome.error().describe();
      const bool good = outcome ? *outcome == std::string(200'000, static_cast<char>('a' + i % 26))
                                : outcome.ending() == Ending::abandoned || outcome.error().type == "std::bad_alloc" ||
                                      words.find("memory") != std::string::npos;
      complaints.expect(good, "task " + std::to_string(i) + ": " + words);
    }
  } catch (const std::system_error& e) {
    complaints.expect(e.code().value() == ENOMEM || e.code().value() == EAGAIN, e.what());
  } catch (const std::bad_alloc&) {  // says it
  }
}

}  // namespace

TEMPLATE_TEST_CASE("little address space: a clear error, fewer workers, or all of it, and no signal", "[shortage]",
                   AsBatch, AsPool) {
#if defined(__SANITIZE_ADDRESS__)
  WARN("skipped: AddressSanitizer's own shadow does not fit into any such limit");
#else
  const NothingLeftBehind check;
  for (const std::uint64_t mib :
       {0u, 1u, 2u, 4u, 8u, 12u, 16u, 64u, 200u, 256u, 257u, 258u, 260u, 264u, 270u, 300u, 400u, 600u}) {
    CAPTURE(mib);
    Host host([mib](const Complaints& complaints) {
      lower(RLIMIT_AS, (size_kib() << 10) + (mib << 20));
      expect_values_or_words<TestType>(complaints);
    });
    check_no_complaints(host);
  }
#endif
}

TEST_CASE("a limit on the size of files that our memory does not fit into is a clear error", "[shortage]") {
  const NothingLeftBehind check;
  Host host([](const Complaints& complaints) {
    lower(RLIMIT_FSIZE, 1 << 20);
    try {
      do_process_work(up_to(5), [](int n) { return n; }, {.num_workers = 2});
      complaints.say("it fitted");
    } catch (const std::system_error& e) {
      complaints.expect(e.code().value() == EFBIG, e.what());
    }
  });
  check_no_complaints(host);
}

namespace {

// A control group below our own, with a limit on memory. Its end is the end of whoever is in it.
class MemoryGroup {
 public:
  explicit MemoryGroup(std::uint64_t limit) {
    for (const std::string& parent : parents()) {
      path_ = parent + "/bulkhead-test-" + std::to_string(::getpid());
      if (::mkdir(path_.c_str(), 0700) != 0) {
        lacking_ = "making a group in " + parent + " (" + std::strerror(errno) + ")";
        path_.clear();
        continue;
      }
      if (write("memory.limit_in_bytes", limit) || write("memory.max", limit)) {
        write("memory.swap.max", 0);
        return;
      }
      lacking_ = "the memory controller in " + parent;
      remove();
    }
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;
  ~MemoryGroup() { remove(); }

  bool exists() const { return !path_.empty(); }
  const std::string& lacking() const { return lacking_; }
  bool enter() const { return write("cgroup.procs", static_cast<std::uint64_t>(::getpid())); }
  /// Nobody is in it any more once the kernel lets it go.
  bool remove() {
    if (path_.empty()) return true;
    for (int attempt = 0; attempt < 1000 && ::rmdir(path_.c_str()) != 0; ++attempt) {
      if (errno != EBUSY) return false;
      ::poll(nullptr, 0, 5);
    }
    struct stat about {};
    const bool gone = ::stat(path_.c_str(), &about) != 0;
    if (gone) path_.clear();
    return gone;
  }

 private:
  // Where this process is, in either version's hierarchy.
  static std::vector<std::string> parents() {
    std::vector<std::string> found;
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
      const std::size_t first = line.find(':'), second = line.find(':', first + 1);
      if (second == line.npos) continue;
      const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
      if (controllers == "memory") found.push_back("/sys/fs/cgroup/memory" + group);
      if (controllers.empty()) found.push_back("/sys/fs/cgroup" + group);
    }
    return found;
  }
  bool write(const char* file, std::uint64_t value) const {
    const int fd = ::open((path_ + "/" + file).c_str(), O_WRONLY | O_CLOEXEC);
    const std::string text = std::to_string(value);
    const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (fd >= 0) ::close(fd);
    return written;
  }

  std::string path_, lacking_ = "control groups";
};

void work_in_group(const Complaints& complaints, const MemoryGroup& group) {
  if (!complaints.expect(group.enter(), "the group cannot be entered")) return;
  constexpr int eater = 7;
  const auto work = [](int n) {
    if (n == eater) {
      std::vector<char> much(std::size_t{512} << 20, 'x');
      n += much[static_cast<std::size_t>(n)] - 'x';
    }
    return n;
  };
  const auto outcomes = do_process_work(up_to(30), work, {.num_workers = 2});
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto& outcome = outcomes[i];
    const std::string words = outcome ? "a value" : outcome.error().describe();
    const bool good = i == eater ? outcome.ending() == Ending::out_of_memory && outcome.error().signal == SIGKILL &&
                                       words.find("kernel") != std::string::npos
                                 : outcome && *outcome == static_cast<int>(i) && outcome.stats().attempts == 1;
    complaints.expect(good, "task " + std::to_string(i) + ": " + words);
  }
}

}  // namespace

TEST_CASE("the kernel ends a task for want of memory: it is named, and everybody else lives", "[shortage]") {
  const NothingLeftBehind check;
  MemoryGroup group(64u << 20);
  if (!group.exists()) {
    WARN("skipped, for want of " << group.lacking());
    return;
  }
  Host host([&](const Complaints& complaints) { work_in_group(complaints, group); });
  check_no_complaints(host);
  CHECK(group.remove());
}

// Input that may block is handed on item by item, and each time a worker's birth is waited for: so the run is given up
// while it is being fed.
TEST_CASE("a run that is given up while it is fed loses none of the tasks that it has taken on", "[shortage]") {
  const NothingLeftBehind check;
  const bool ordered = GENERATE(true, false);
  WorkOptions options{.num_workers = 2, .preserve_result_ordering = ordered};
  options.respawn.limit = 0;
  options.on_event = [](const Event& event) {  // a child of ours that was not reaped yet
    if (event.kind == EventKind::fork_server_started && event.process > 1)
      ::kill(static_cast<pid_t>(event.process), SIGKILL);
  };
  std::size_t taken_on = 0;
  for (int run = 0; run < 30; ++run) {  // in some of them it is a wait for a birth that ends with this
    Counter items{.last = 100};
    auto stream = process_stream(
        items, [](int n) { return n; }, options);
    std::set<std::size_t> ended;
    for (const auto& [index, outcome] : stream) {
      REQUIRE((!ordered || index == ended.size()));
      REQUIRE(ended.insert(index).second);
      REQUIRE(outcome.ending() == Ending::abandoned);
    }
    REQUIRE(ended.size() == stream.statistics().tasks);
    taken_on += ended.size();
  }
  CHECK(taken_on > 0);
}
