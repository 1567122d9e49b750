#include "bare_fork_server.hpp"

#include <execinfo.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bench {
namespace {

constexpr std::size_t page = 4096, occupied = 4 * page, reserved = 65 * page, lane_bytes = 65 * page;
constexpr std::uint32_t socket_key = 0, first_pipe_key = 1'000, first_death_key = 2'000;

void require(bool holds) {
  if (!holds) throw std::runtime_error("bare fork server: a system call failed");
}

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  return ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

void send(int socket, const void* message, std::size_t size, std::span<const int> descriptors) {
  iovec part{const_cast<void*>(message), size};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  require(::sendmsg(socket, &header, MSG_NOSIGNAL) >= 0);
}

// False: the other end has gone, or has nothing now.
bool receive(int socket, void* message, std::size_t size, std::array<int, 3>& descriptors, int flags) {
  iovec part{message, size};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  if (::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags) <= 0) return false;
  if (const cmsghdr* const rights = CMSG_FIRSTHDR(&header); rights != nullptr)
    std::memcpy(descriptors.data(), CMSG_DATA(rights), rights->cmsg_len - CMSG_LEN(0));
  return true;
}

void** noted_frames = nullptr;  // in the worker's shared memory
constexpr int most_frames = 32;

void end_again(int signal) {
  ::signal(signal, SIG_DFL);
  ::backtrace(noted_frames, most_frames);
  ::raise(signal);
}

void keep_from_children(void* memory, std::size_t size) {
  ::madvise(memory, size, MADV_DONTFORK);
  ::madvise(memory, size, MADV_DONTDUMP);
}

// It ends when the other end of its lifeline is gone.
void tie_to(int lifeline) {
  ::fcntl(lifeline, F_SETOWN, ::getpid());
  ::fcntl(lifeline, F_SETSIG, SIGKILL);
  ::fcntl(lifeline, F_SETFL, O_NONBLOCK | O_ASYNC);
  pollfd end{lifeline, POLLIN, 0};
  if (::poll(&end, 1, 0) != 0) ::_exit(1);
}

// Of this process' control group, in whichever hierarchy has it; -1: in none.
int open_memory_events() {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::string path = line.substr(line.rfind(':') + 1);
    const bool unified = line.starts_with("0::"), memory = line.find(":memory:") != line.npos;
    const std::string name =
        unified ? "/sys/fs/cgroup" + path + "/memory.events" : "/sys/fs/cgroup/memory" + path + "/memory.oom_control";
    const int file = unified || memory ? ::open(name.c_str(), O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) return file;
  }
  return -1;
}

void write_at_begin(int file, std::string_view text) {
  static_cast<void>(!::pwrite(file, text.data(), text.size(), 0));
}

}  // namespace

BareForkServer::BareForkServer(std::size_t slots, int signal, bool on_one_core)
    : signal_(signal),
      on_one_core_(on_one_core),
      lanes_(::memfd_create("lanes", MFD_CLOEXEC)),
      slots_(slots),
      pids_(slots) {
  require(lanes_ >= 0 && ::ftruncate(lanes_, static_cast<off_t>(slots * lane_bytes)) == 0);
  mapped_lanes_ = ::mmap(nullptr, slots * lane_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, lanes_, 0);
  require(mapped_lanes_ != MAP_FAILED);
  require(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socket_.data()) == 0);
  server_.start([this] { serve(); });
  ::close(socket_[1]);
  poller_ = ::epoll_create1(EPOLL_CLOEXEC);
  watch(poller_, socket_[0], socket_key);
  kills_for_memory_ = open_memory_events();
}

BareForkServer::~BareForkServer() {
  ::close(socket_[0]);
  ::close(poller_);
  if (kills_for_memory_ >= 0) ::close(kills_for_memory_);
  ::munmap(mapped_lanes_, slots_.size() * lane_bytes);
  ::close(lanes_);
}

void BareForkServer::watch(int poller, int fd, std::uint32_t key) const {
  epoll_event event{.events = EPOLLIN, .data = {.u32 = key}};
  require(::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0);
}

void BareForkServer::stay_here() {
  require(::sched_getaffinity(0, sizeof cores_, &cores_) == 0);
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(::sched_getcpu(), &here);
  require(::sched_setaffinity(0, sizeof here, &here) == 0);
}

void BareForkServer::serve() {
  ::close(socket_[0]);
  poller_ = ::epoll_create1(EPOLL_CLOEXEC);
  watch(poller_, socket_[1], socket_key);
  children_ = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  rank_ = ::open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (on_one_core_) stay_here();
  std::array<void*, 1> frame;
  ::backtrace(frame.data(), frame.size());  // loads what workers inherit then
  for (;;) {
    std::array<epoll_event, 8> events;
    const int ready = ::epoll_wait(poller_, events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i) {
      const std::uint32_t key = events[static_cast<std::size_t>(i)].data.u32;
      if (key != socket_key) {
        reap(key - first_death_key);
        continue;
      }
      Message order;
      Given given{};
      if (!receive(socket_[1], &order, sizeof order, given, 0)) ::_exit(0);
      fork_worker(order.slot, given);
    }
  }
}

void BareForkServer::fork_worker(std::uint32_t slot, const Given& given) {
  write_at_begin(rank_, "500");
  const pid_t pid = ::fork();
  if (pid == 0) work(slot, given);
  write_at_begin(rank_, "0");
  require(pid > 0);
  pids_[slot] = pid;
  ::setpgid(pid, pid);
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  require(pidfd >= 0);
  slots_[slot].pidfd = pidfd;
  watch(poller_, pidfd, first_death_key + slot);
  const Message born{.slot = slot, .word = static_cast<std::uint32_t>(pid)};
  send(socket_[1], &born, sizeof born, {&pidfd, 1});
  for (const int fd : given) ::close(fd);
}

void BareForkServer::work(std::uint32_t slot, const Given& given) {
  if (on_one_core_) ::sched_setaffinity(0, sizeof cores_, &cores_);
  ::setpgid(0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  tie_to(given[2]);
  auto* const lane = static_cast<std::atomic<std::uint32_t>*>(
      ::mmap(nullptr, lane_bytes, PROT_READ, MAP_SHARED, lanes_, static_cast<off_t>(slot * lane_bytes)));
  auto* const memory = static_cast<std::atomic<std::uint64_t>*>(
      ::mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_SHARED, given[0], 0));
  keep_from_children(const_cast<std::atomic<std::uint32_t>*>(lane), lane_bytes);
  keep_from_children(memory, reserved);
  ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
  for (const int fd : {given[0], lanes_, socket_[1], poller_, children_, rank_}) ::close(fd);
  noted_frames = reinterpret_cast<void**>(reinterpret_cast<std::byte*>(memory) + page / 2);
  static std::array<char, 16 * page> stack;
  stack_t alternate{};
  alternate.ss_sp = stack.data();
  alternate.ss_size = stack.size();
  ::sigaltstack(&alternate, nullptr);
  struct sigaction action {};
  action.sa_handler = end_again;
  action.sa_flags = SA_ONSTACK;
  for (const int sig : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP}) ::sigaction(sig, &action, nullptr);
  std::memset(reinterpret_cast<std::byte*>(memory) + page, 1, 16);
  if (::write(given[1], reinterpret_cast<std::byte*>(memory) + page, 16) != 16) ::_exit(1);
  const auto self = static_cast<std::uint32_t>(::getpid());
  for (std::uint32_t seen = 0; (seen = lane->load()) != self;) futex(*lane, FUTEX_WAIT, seen);
  memory->store(self);
  ::kill(::getpid(), signal_);
  ::_exit(1);
}

void BareForkServer::reap(std::uint32_t slot) {
  int& pidfd = slots_[slot].pidfd;
  ::epoll_ctl(poller_, EPOLL_CTL_DEL, pidfd, nullptr);
  ::kill(-pids_[slot], SIGKILL);
  int status = 0;
  require(::waitpid(pids_[slot], &status, 0) == pids_[slot]);
  ::close(pidfd);
  std::array<char, page> left;
  require(::pread(children_, left.data(), left.size(), 0) >= 0);
  const Message ended{.slot = slot, .word = static_cast<std::uint32_t>(status), .ended = true};
  send(socket_[1], &ended, sizeof ended, {});
}

void BareForkServer::ask_for_worker(std::uint32_t slot) {
  Slot& own = slots_[slot];
  own = {};
  const int memory = ::memfd_create("worker", MFD_CLOEXEC);
  require(memory >= 0 && ::ftruncate(memory, reserved) == 0 && ::fallocate(memory, 0, 0, occupied) == 0);
  own.mapped = ::mmap(nullptr, reserved, PROT_READ, MAP_SHARED, memory, 0);
  require(own.mapped != MAP_FAILED);
  std::array<int, 2> pipe{};
  require(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
  own.pipe = pipe[0];
  std::array<int, 2> lifeline{};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lifeline.data()) == 0);
  own.lifeline = lifeline[0];
  watch(poller_, own.pipe, first_pipe_key + slot);
  const Message order{.slot = slot};
  send(socket_[0], &order, sizeof order, std::array{memory, pipe[1], lifeline[1]});
  ::close(pipe[1]);
  ::close(lifeline[1]);
  ::close(memory);
}

// A birth: the worker is admitted, by its number. Or an end.
void BareForkServer::hear() {
  Message report;
  Given given{};
  while (receive(socket_[0], &report, sizeof report, given, MSG_DONTWAIT)) {
    Slot& own = slots_[report.slot];
    if (report.ended) {
      const auto status = static_cast<int>(report.word);
      if (!WIFSIGNALED(status) || WTERMSIG(status) != signal_)
        throw std::runtime_error("a worker did not die as it should");
      own.told = true;
      continue;
    }
    own.pidfd = given[0];
    own.pid = report.word;
    watch(poller_, own.pidfd, first_death_key + report.slot);
    std::atomic<std::uint32_t>& lane = lane_of(report.slot);
    lane = report.word;
    futex(lane, FUTEX_WAKE, 1);
  }
}

// It has said that it is there.
void BareForkServer::take_in(std::uint32_t slot) {
  std::array<char, page> said;
  if (::read(slots_[slot].pipe, said.data(), said.size()) <= 0)
    ::epoll_ctl(poller_, EPOLL_CTL_DEL, slots_[slot].pipe, nullptr);
}

void BareForkServer::note_death(Slot& slot) const {
  ::epoll_ctl(poller_, EPOLL_CTL_DEL, slot.pidfd, nullptr);
  slot.dead = true;
}

void BareForkServer::judge(const Slot& slot) const {
  if (*static_cast<const std::atomic<std::uint64_t>*>(slot.mapped) != slot.pid)
    throw std::runtime_error("a worker died before it had its task in hand");
  std::array<char, page> counts;
  if (signal_ == SIGKILL && kills_for_memory_ >= 0)
    require(::pread(kills_for_memory_, counts.data(), counts.size(), 0) > 0);
}

std::atomic<std::uint32_t>& BareForkServer::lane_of(std::uint32_t slot) const {
  return *reinterpret_cast<std::atomic<std::uint32_t>*>(static_cast<std::byte*>(mapped_lanes_) + slot * lane_bytes);
}

void BareForkServer::run(std::size_t deaths) {
  std::size_t asked = 0;
  for (; asked < std::min(slots_.size(), deaths); ++asked) ask_for_worker(static_cast<std::uint32_t>(asked));
  for (std::size_t died = 0; died < deaths;) {
    std::array<epoll_event, 8> events;
    const int ready = ::epoll_wait(poller_, events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i) {
      const std::uint32_t key = events[static_cast<std::size_t>(i)].data.u32;
      if (key == socket_key)
        hear();
      else if (key < first_death_key)
        take_in(key - first_pipe_key);
      else
        note_death(slots_[key - first_death_key]);
    }
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      Slot& own = slots_[slot];
      if (!own.dead || !own.told) continue;
      judge(own);
      ::close(own.pipe);
      ::close(own.pidfd);
      ::close(own.lifeline);
      ::munmap(own.mapped, reserved);
      own.dead = own.told = false;
      ++died;
      if (asked < deaths) ask_for_worker(slot), ++asked;
    }
  }
}

}  // namespace bench
