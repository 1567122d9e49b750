// Which cores a process may run on: the caller's, also for a worker that was born on the fork server's.
#include "os/cores.hpp"
#include "can_isolate.hpp"
#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "process/fork_server.hpp"

#include <bulkhead/work.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using namespace bulkhead;

namespace {

int cores_of(long process) {
  cpu_set_t cores;
  return ::sched_getaffinity(static_cast<pid_t>(process), sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 0;
}

// A life that says where it may run, and ends.
void note_cores_and_leave(void* noted, process::Cradle) {
  *static_cast<std::atomic<int>*>(noted) = cores_of(0);
  ::_exit(0);
}

process::Cradle cradle_of_nothing() {
  const auto nothing = [] { return os::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)); };
  return {.memory = nothing(), .pipe = nothing(), .lifeline = nothing()};
}

int cores_at_init = 0;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool has_sanitizer = true;
#else
constexpr bool has_sanitizer = false;
#endif

}  // namespace

TEST_CASE("this process may use at least one core, and no more than its affinity", "[cores]") {
  CHECK(usable_cores() >= 1);
  CHECK(os::affinity_cores() >= 1);
  CHECK(usable_cores() <= os::affinity_cores());
}

TEST_CASE("a thread is pinned to the core where it is until it is unpinned", "[cores]") {
  std::thread([] {
    const int all = cores_of(0);
    os::CorePin pin;
    pin.unpin();
    CHECK(cores_of(0) == all);
    for (int again = 0; again < 2; ++again) {
      pin.pin();
      pin.pin();
      CHECK(cores_of(0) == 1);
      pin.unpin();
      pin.unpin();
      CHECK(cores_of(0) == all);
    }
    pin.pin();
    std::thread([copy = pin, all]() mutable {
      CHECK(cores_of(0) == 1);
      copy.unpin();
      CHECK(cores_of(0) == all);
    }).join();
    CHECK(cores_of(0) == 1);
  }).join();
}

TEST_CASE("a choice of cores that somebody has made is kept", "[cores]") {
  std::thread([] {
    cpu_set_t own, one;
    REQUIRE(::sched_getaffinity(0, sizeof own, &own) == 0);
    int chosen = 0;
    while (!CPU_ISSET(chosen, &own)) ++chosen;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    os::CorePin pin;
    pin.pin();
    pin.unpin();
    cpu_set_t after;
    REQUIRE(::sched_getaffinity(0, sizeof after, &after) == 0);
    CHECK(CPU_EQUAL(&after, &one));
  }).join();
}

TEST_CASE("the fork server stays on its core for those alone that are to be born there", "[cores]") {
  using process::Birth, process::ForkServer, process::ReportKind;
  const NothingLeftBehind check;
  const int all = cores_of(0);
  void* const shared =
      ::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  auto& noted = *new (shared) std::atomic<int>(0);
  {
    ForkServer server({note_cores_and_leave, shared}, {}, {});
    std::uint64_t number = 0;
    for (const Birth birth : {Birth::at_once, Birth::on_servers_core, Birth::on_servers_core, Birth::at_once,
                              Birth::on_servers_core, Birth::at_leisure}) {
      noted = 0;
      REQUIRE(server.ask_for_worker(++number, cradle_of_nothing(), birth));
      for (bool ended = false; !ended;) {
        pollfd said{server.socket().get(), POLLIN, 0};
        REQUIRE(::poll(&said, 1, 20'000) == 1);
        const auto heard = server.receive();
        REQUIRE(heard.word == ForkServer::Word::report);
        ended = heard.report.kind == ReportKind::ended;
      }
      CHECK(noted == all);
      CHECK(cores_of(server.pid()) == (birth == Birth::on_servers_core ? 1 : all));
    }
  }
  ::munmap(shared, sizeof(std::atomic<int>));
}

TEST_CASE("where worker after worker dies, each may run where the caller may", "[cores]") {
  const NothingLeftBehind check;
  const int all = cores_of(0);
  const std::size_t workers = GENERATE(1, 3);
  const Isolation isolation = GENERATE(Isolation::contained, Isolation::strict);
  if (!can_isolate(isolation)) return;
  std::vector<int> items(60);
  for (std::size_t i = 0; i < items.size(); ++i) items[i] = static_cast<int>(i);
  bool server_stayed = false;
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!server_stayed && std::chrono::steady_clock::now() < until) {  // workers have to die soon enough
    const auto outcomes = do_process_work(
        items,
        [](int n) {
          if (n % 3 != 0) crash_by(SIGKILL);
          return std::vector<int>{cores_at_init, cores_of(0), cores_of(::getppid())};
        },
        {.num_workers = workers, .isolation = isolation, .worker_init = [] { cores_at_init = cores_of(0); }});
    for (std::size_t i = 0; i < items.size(); i += 3) {
      const std::vector<int>& seen = outcomes[i].value();
      CHECK(seen[0] == all);
      CHECK(seen[1] == all);
      server_stayed |= seen[2] == 1;
    }
    if (has_sanitizer) return;  // under which none does
  }
  CHECK(server_stayed);  // or this would say nothing
}
