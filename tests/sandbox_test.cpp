// The kernel sandbox: every attack is tried, from a process that is inside, and what honest code needs still works.
#include "os/sandbox.hpp"

#include "catch.hpp"
#include "left_behind.hpp"
#include "misbehave.hpp"
#include "os/landlock.hpp"
#include "os/refused_calls.hpp"
#include "sandbox_attacks.hpp"
#include "sandboxed.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>
#include <thread>
#include <vector>

using namespace bulkhead;
using sandbox_attacks::error_of;

namespace {

// Says on the screen what is not checked because the kernel of this machine has no such thing.
bool kernel_has(bool part, const char* words) {
  if (!part) std::cout << "skipped: " << words << "\n";
  return part;
}
bool kernel_filters() {
  return kernel_has(os::probe_sandbox().sufficient(), "the sandbox: no seccomp filters, or no no_new_privs");
}
bool kernel_has_landlock(int abi = 1) {
  return kernel_has(os::landlock_version().abi >= abi,
                    ("what needs Landlock ABI " + std::to_string(abi) + ": this kernel has " +
                     std::to_string(os::landlock_version().abi))
                        .c_str());
}

// Two directories with a file in each; the sandbox may write below `open` only.
struct Places {
  std::filesystem::path root, open, closed;
  Places() {
    std::string name = (std::filesystem::temp_directory_path() / "bulkhead-sandbox-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
    open = root / "open";
    closed = root / "closed";
    for (const auto& place : {open, closed}) {
      std::filesystem::create_directories(place / "other");
      std::ofstream(place / "file") << "words";
    }
  }
  ~Places() { std::filesystem::remove_all(root); }
  os::SandboxRules rules() const { return {.writable = {open.string()}}; }
};

int opened(const std::filesystem::path& path, int flags) {
  return error_of(sandbox_attacks::Descriptor{::open(path.c_str(), flags | O_CLOEXEC, 0600)}.number);
}

// As a kernel or a container would that has no such system call.
void deny_call(int number, std::uint32_t error) {
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{4, code};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) ::_exit(96);
}
constexpr int landlock_create_ruleset = 444;

// 0 as long as nobody wrote to this process' memory or settings.
int own_damage(rlim_t files_before) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return (sandbox_attacks::precious != 42 ? 1 : 0) + (limit.rlim_cur != files_before ? 2 : 0) +
         (::getpriority(PRIO_PROCESS, 0) == 19 ? 4 : 0);
}

void attack_everything(const Report& report, pid_t target, const std::string& whom) {
  for (const auto& attack : sandbox_attacks::attacks) report(attack.name + (" at " + whom), attack.attempt(target));
}

// A coordinator with two workers, of which one attacks the other and the coordinator; and what they suffered.
template <class Prepare>
std::map<std::string, int> attacked(Prepare&& prepare) {
  const Report report;
  const pid_t coordinator = start_child([&] {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    int hold[2];
    if (::pipe(hold) != 0) ::_exit(95);
    const pid_t sibling = start_child([&] {
      ::close(hold[1]);
      char none;
      if (::read(hold[0], &none, 1) != 0) ::_exit(94);
      ::_exit(own_damage(limit.rlim_cur));
    });
    const pid_t own = ::getpid();
    const pid_t attacker = start_child([&] {
      ::close(hold[1]);
      const bool inside = prepare();
      attack_everything(report, own, "the coordinator");
      attack_everything(report, sibling, "a sibling");
      if (!inside) return;  // the rest would hurt
      for (const auto& [target, whom] : {std::pair(own, " at the coordinator"), std::pair(sibling, " at a sibling")}) {
        report(std::string("SIGSTOP") + whom, error_of(::kill(target, SIGSTOP)));
        report(std::string("SIGKILL") + whom, error_of(::kill(target, SIGKILL)));
        report(std::string("SIGTERM by thread") + whom, error_of(::syscall(SYS_tgkill, target, target, SIGTERM)));
      }
    });
    report("end of the attacker", end_of(attacker));
    ::close(hold[1]);
    report("end of the sibling", end_of(sibling));
    report("damage to the coordinator", own_damage(limit.rlim_cur));
  });
  const int end = end_of(coordinator);
  auto found = report.all();
  found["end of the coordinator"] = end;
  return found;
}

void check_refused(const std::map<std::string, int>& found, bool landlock) {
  std::size_t attempts = 0;
  for (const auto& [name, error] : found) {
    if (name.find(" at ") == std::string::npos) continue;
    ++attempts;
    INFO(name);
    if (!name.starts_with("/proc/"))
      CHECK(error == EPERM);
    else if (landlock)
      CHECK(error == EACCES);
  }
  CHECK(attempts == 2 * (std::size(sandbox_attacks::attacks) + 3));
}

void check_unharmed(const std::map<std::string, int>& found) {
  for (const char* name :
       {"end of the attacker", "end of the sibling", "damage to the coordinator", "end of the coordinator"}) {
    INFO(name);
    REQUIRE(found.contains(name));
    CHECK(found.at(name) == 0);
  }
}

}  // namespace

TEST_CASE("without a sandbox the attacks succeed, so it is the sandbox that stops them", "[sandbox]") {
  const NothingLeftBehind check;
  const auto found = attacked([] { return false; });
  REQUIRE(found.at("end of the coordinator") == 0);
  for (const auto& attack : sandbox_attacks::attacks) {
    for (const char* whom : {" at the coordinator", " at a sibling"}) {
      INFO(attack.name << whom);
      const int error = found.at(attack.name + std::string(whom));
      if (attack.tracing && error != 0)
        std::cout << "skipped: " << attack.name << whom << " is refused here without a sandbox as well\n";
      else
        CHECK(error == 0);
    }
  }
}

TEST_CASE("a sandboxed worker can do nothing to its coordinator and siblings", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters()) return;
  const bool landlock = kernel_has_landlock();
  const auto found = attacked([] {
    os::enter_sandbox({});
    return true;
  });
  check_refused(found, landlock);
  if (landlock) check_unharmed(found);
}

TEST_CASE("the filter of system calls holds alone, where Landlock does not help", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters()) return;
  check_refused(attacked([] {
                  deny_call(landlock_create_ruleset, ENOSYS);
                  os::enter_sandbox({});
                  return true;
                }),
                false);
}

TEST_CASE("a kernel without Landlock: the file rules are reported as missing, all else is kept", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters()) return;
  const Places places;
  const Report report;
  const pid_t child = start_child([&] {
    deny_call(landlock_create_ruleset, EOPNOTSUPP);
    const auto granted = os::enter_sandbox(places.rules());
    report("granted", granted.landlock_abi + granted.files_guarded + granted.memory_guarded +
                          granted.truncation_guarded + granted.abstract_sockets_guarded);
    report("words", granted.not_granted.size() == 1 &&
                        granted.not_granted[0].find("Landlock switched off") != std::string::npos &&
                        granted.not_granted[0].find("/proc/<pid>/mem") != std::string::npos);
    report("a file", opened(places.closed / "file", O_WRONLY));
    report("kill", error_of(::kill(::getppid(), 0)));
    report("pidfd_open", error_of(::syscall(SYS_pidfd_open, ::getppid(), 0)));
  });
  REQUIRE(end_of(child) == 0);
  CHECK(report.all() == std::map<std::string, int>{
                            {"granted", 0}, {"words", 1}, {"a file", 0}, {"kill", EPERM}, {"pidfd_open", EPERM}});
}

TEST_CASE("a kernel without seccomp filters: nobody enters, and the error says why", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters()) return;
  const Report report;
  const pid_t child = start_child([&] {
    deny_call(SYS_seccomp, ENOSYS);
    report("sufficient", os::probe_sandbox().sufficient());
    try {
      os::enter_sandbox({});
    } catch (const std::system_error& e) {
      report("words", std::string(e.what()).find("CONFIG_SECCOMP_FILTER") != std::string::npos);
    }
  });
  REQUIRE(end_of(child) == 0);
  CHECK(report.all() == std::map<std::string, int>{{"sufficient", 0}, {"words", 1}});
}

TEST_CASE("asking what the kernel offers changes nothing", "[sandbox]") {
  const NothingLeftBehind check;
  const auto support = os::probe_sandbox();
  CHECK(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
  CHECK(::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0);
  CHECK(support.lacking.empty() == (support.sufficient() && support.landlock_abi >= os::landlock_scopes));
  for (const std::string& lack : support.lacking) std::cout << "this kernel: " << lack << "\n";
}

TEST_CASE("a sandboxed worker changes files where it may and nowhere else", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters() || !kernel_has_landlock()) return;
  const Places places;
  const Report report;
  const pid_t child = start_child([&] {
    const int kept = ::open((places.closed / "file").c_str(), O_RDONLY | O_CLOEXEC);
    os::enter_sandbox(places.rules());
    const auto try_all = [&](const std::filesystem::path& place, const std::string& where) {
      report("write" + where, opened(place / "file", O_WRONLY));
      report("append" + where, opened(place / "file", O_RDWR | O_APPEND));
      report("create" + where, opened(place / "new", O_WRONLY | O_CREAT));
      report("mkdir" + where, error_of(::mkdir((place / "directory").c_str(), 0700)));
      report("rmdir" + where, error_of(::rmdir((place / "other").c_str())));
      report("symlink" + where, error_of(::symlink("file", (place / "link").c_str())));
      report("mkfifo" + where, error_of(::mkfifo((place / "fifo").c_str(), 0600)));
      report("link" + where, error_of(::link((place / "file").c_str(), (place / "second").c_str())));
      report("rename" + where, error_of(::rename((place / "file").c_str(), (place / "renamed").c_str())));
      report("unlink" + where, error_of(::unlink((place / "renamed").c_str())));
    };
    try_all(places.open, " open");
    ::unlink((places.open / "new").c_str());
    report("reopen closed", opened("/proc/self/fd/" + std::to_string(kept), O_RDWR));
    try_all(places.closed, " closed");
    report("read", opened(places.closed / "file", O_RDONLY));
    report("null", opened("/dev/null", O_RDWR));
    report("chmod", error_of(::chmod((places.closed / "file").c_str(), 0777)));
  });
  REQUIRE(end_of(child) == 0);
  auto found = report.all();
  CHECK(found.extract("read").mapped() == 0);
  CHECK(found.extract("null").mapped() == 0);
  CHECK(found.extract("chmod").mapped() == EPERM);
  CHECK(found.extract("unlink closed").mapped() != 0);  // there is nothing of that name, since it was not renamed
  CHECK(found.size() == 20);
  for (const auto& [name, error] : found) {
    INFO(name);
    CHECK(error == (name.ends_with(" closed") ? EACCES : 0));
  }
  CHECK(std::filesystem::file_size(places.closed / "file") == 5);
}

TEST_CASE("every version of Landlock is used as far as it goes", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_has_landlock()) return;
  for (int abi = 1; abi <= os::landlock_version().abi; ++abi) {
    const Places places;
    const Report report;
    const pid_t child = start_child([&] {
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      os::restrict_writing(abi, {places.open.string(), (places.closed / "file").string()});
      report("listed file", opened(places.closed / "file", O_WRONLY));
      report("unlisted file", opened(places.closed / "new", O_WRONLY | O_CREAT));
      report("moved", error_of(::rename((places.open / "file").c_str(), (places.open / "other/file").c_str())));
      report("cut", error_of(::truncate("/proc/self/exe", -1)) == EINVAL);  // the call itself is there
      report("device", opened("/dev/null", O_WRONLY));
      report("kill", error_of(::kill(::getppid(), 0)));
    });
    REQUIRE(end_of(child) == 0);
    INFO("ABI " << abi);
    CHECK(report.all() == std::map<std::string, int>{{"listed file", 0},
                                                     {"unlisted file", EACCES},
                                                     {"moved", abi >= os::landlock_moves ? 0 : EXDEV},
                                                     {"cut", 1},
                                                     {"device", 0},
                                                     {"kill", abi >= os::landlock_scopes ? EPERM : 0}});
  }
}

TEST_CASE("truncation of files that may only be read", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters() || !kernel_has_landlock(os::landlock_truncation)) return;
  const Places places;
  const Report report;
  const pid_t child = start_child([&] {
    os::enter_sandbox(places.rules());
    report("by name", error_of(::truncate((places.closed / "file").c_str(), 0)));
    report("by opening", opened(places.closed / "file", O_RDONLY | O_TRUNC));
    report("where it may", error_of(::truncate((places.open / "file").c_str(), 0)));
  });
  REQUIRE(end_of(child) == 0);
  CHECK(report.all() == std::map<std::string, int>{{"by name", EACCES}, {"by opening", EACCES}, {"where it may", 0}});
  CHECK(std::filesystem::file_size(places.closed / "file") == 5);
}

TEST_CASE("abstract sockets of others", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters() || !kernel_has_landlock(os::landlock_scopes)) return;
  const sandbox_attacks::Descriptor listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
  socklen_t size = sizeof(sa_family_t);  // the kernel chooses an abstract name
  auto* const address = reinterpret_cast<sockaddr*>(&name);
  REQUIRE(::bind(listener.number, address, size) == 0);
  REQUIRE(::listen(listener.number, 4) == 0);
  size = sizeof name;
  REQUIRE(::getsockname(listener.number, address, &size) == 0);
  const Report report;
  const pid_t child = start_child([&] {
    const int outside = ::socket(AF_UNIX, SOCK_STREAM, 0), inside = ::socket(AF_UNIX, SOCK_STREAM, 0);
    report("outside", error_of(::connect(outside, address, size)));
    os::enter_sandbox({});
    report("inside", error_of(::connect(inside, address, size)));
  });
  REQUIRE(end_of(child) == 0);
  CHECK(report.all() == std::map<std::string, int>{{"outside", 0}, {"inside", EPERM}});
}

TEST_CASE("a writable path that is not there is named", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters() || !kernel_has_landlock()) return;
  const Report report;
  const pid_t child = start_child([&] {
    try {
      os::enter_sandbox({.writable = {"/nowhere/at/all"}});
    } catch (const std::system_error& e) {
      report("named", std::string(e.what()).find("/nowhere/at/all") != std::string::npos);
      report("errno", e.code().value());
    }
  });
  REQUIRE(end_of(child) == 0);
  CHECK(report.all() == std::map<std::string, int>{{"named", 1}, {"errno", ENOENT}});
}

TEST_CASE("a sandboxed worker makes no processes and reaches no part of the machine", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters()) return;
  const Report report;
  const pid_t child = start_child([&] {
    os::enter_sandbox({});
    if (error_of(::kill(::getppid(), 0)) != EPERM) ::_exit(93);  // not inside: what follows could do harm
    for (const auto group : os::refused::to_workers)
      for (const int call : group) {
#ifdef SYS_fork
        if (call == SYS_fork || call == SYS_vfork) continue;  // below
#endif
        report("call " + std::to_string(call), error_of(::syscall(call, -1, 0, 0, 0, 0, 0)));
      }
    const pid_t born = ::fork();
    if (born == 0) ::_exit(0);
    report("fork", error_of(born));
#ifdef SYS_fork
    report("fork itself", error_of(::syscall(SYS_fork)));
#endif
    const char* words[] = {"true", nullptr};
    report("posix_spawn", ::posix_spawn(nullptr, "/bin/true", nullptr, nullptr, const_cast<char**>(words), environ));
    report("thread in a new namespace",
           error_of(::syscall(SYS_clone, CLONE_NEWUTS | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, nullptr, 0, 0, 0)));
    report("own group", error_of(::kill(0, 0)));
    report("everybody", error_of(::kill(-1, 0)));
    report("all of the user's", error_of(::setpriority(PRIO_USER, 0, 19)));
    report("the group's", error_of(::setpriority(PRIO_PGRP, 0, 19)));
    report("parent's death", error_of(::prctl(PR_SET_PDEATHSIG, 0)));
    report("typing", error_of(::ioctl(0, TIOCSTI, "x")));
    report("typing, with dirt", error_of(::syscall(SYS_ioctl, 0, std::int64_t{1} << 32 | TIOCSTI, "x")));
    report("foreground", error_of(::ioctl(0, TIOCSPGRP, nullptr)));
    int ends[2];
    if (::pipe(ends) != 0) ::_exit(92);
    report("signals on a descriptor", error_of(::fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK)));
    report("which signal", error_of(::fcntl(ends[0], F_SETSIG, SIGKILL)));
  });
  REQUIRE(end_of(child) == 0);
  const auto found = report.all();
  CHECK(found.size() > 90);
  for (const auto& [name, error] : found) {
    INFO(name);
    CHECK(error == EPERM);
  }
}

TEST_CASE("calls in another numbering do not pass the filter", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters()) return;
#if defined(__x86_64__)
  const pid_t other = start_child([] {
    os::enter_sandbox({});
    if (error_of(::syscall(0x40000000 | SYS_getpid)) != ENOSYS) ::_exit(1);
  });
  CHECK(end_of(other) == 0);
  const pid_t older = start_child([] {
    os::enter_sandbox({});
    long result = 20;  // getpid of 32-bit programs
    asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  });
  const int end = end_of(older);
  CHECK((end == -SIGSYS || end == -SIGSEGV));  // SIGSEGV: the kernel has no such calls at all
#endif
  const pid_t newer = start_child([] {
    os::enter_sandbox({});
    if (error_of(::syscall(SYS_clone3, nullptr, 0)) != ENOSYS) ::_exit(1);
  });
  CHECK(end_of(newer) == 0);
}

namespace {

std::atomic<int> handled = 0;

void use_threads(const Report& report) {
  std::atomic<int> sum = 0;
  std::atomic<int> threads_signal = 0;
  std::vector<std::thread> threads;
  for (int n = 1; n <= 4; ++n)
    threads.emplace_back([&, n] {
      sum += n;
      if (n == 4) threads_signal = std::raise(SIGUSR1);
    });
  for (std::thread& thread : threads) thread.join();
  report("threads", sum == 10 && threads_signal == 0);
}

void use_memory(const Report& report) {
  constexpr std::size_t size = 64u << 20;
  std::vector<char> large(size, 'x');
  report("64 MiB", std::count(large.begin(), large.end(), 'x') == size);
}

}  // namespace

TEST_CASE("honest code does not notice the sandbox", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters()) return;
  const Places places;
  const Report report;
  const pid_t child = start_child([&] {
    os::enter_sandbox(places.rules());
    std::signal(SIGUSR1, [](int) { ++handled; });
    use_threads(report);
    use_memory(report);
    report("raise", std::raise(SIGUSR1) == 0 && ::kill(::getpid(), SIGUSR1) == 0 &&
                        ::pthread_kill(::pthread_self(), SIGUSR1) == 0 && handled == 4);
    std::string word;
    std::ifstream(places.closed / "file") >> word;
    report("read", word == "words");
    std::filesystem::remove(places.open / "file");
    std::ofstream(places.open / "deeper") << "more";
    report("write", std::ifstream(places.open / "deeper").get() == 'm');
    rlimit limit{};
    report("own settings", ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && ::setrlimit(RLIMIT_NOFILE, &limit) == 0 &&
                               ::setpriority(PRIO_PROCESS, 0, 5) == 0 && sandbox_attacks::move_to_core(0) == 0 &&
                               sandbox_attacks::move_to_core(::getpid()) == 0);
    int ends[2];
    report("pipe", ::pipe2(ends, O_CLOEXEC) == 0 && ::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    const int unnamed = ::memfd_create("unnamed", MFD_CLOEXEC);
    report("memory file", unnamed >= 0 && ::ftruncate(unnamed, 4096) == 0);
  });
  REQUIRE(end_of(child) == 0);
  const auto found = report.all();
  CHECK(found.size() == 8);
  for (const auto& [name, good] : found) {
    INFO(name);
    CHECK(good == 1);
  }
}

TEST_CASE("sandboxed or not, a worker ends as it ends", "[sandbox]") {
  const NothingLeftBehind check;
  if (!kernel_filters()) return;
  const auto end_inside = [](auto last_deed) {
    return end_of(start_child([&] {
      os::enter_sandbox({});
      last_deed();
    }));
  };
  CHECK(end_inside([] { std::abort(); }) == -SIGABRT);
  CHECK(end_inside([] { use_up_stack(nullptr, 0); }) == -SIGSEGV);
  CHECK(end_inside([] { std::raise(SIGTERM); }) == -SIGTERM);
  CHECK(end_inside([] { ::kill(::getpid(), SIGKILL); }) == -SIGKILL);
  CHECK(end_inside([] { ::_exit(7); }) == 7);
  CHECK(end_inside([] { ::execl("/bin/sh", "sh", "-c", "exit 9", nullptr); }) == 9);
  CHECK(end_inside([] { ::execl("/bin/sh", "sh", "-c", "kill -URG $PPID 2>/dev/null && exit 1; exit 8", nullptr); }) ==
        8);  // the program that it became is inside as well
}
