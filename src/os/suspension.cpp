#include "os/suspension.hpp"

#include <bulkhead/work_clock.hpp>

#include "os/at_birth.hpp"
#include "os/child.hpp"
#include "os/memory_file.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <new>
#include <optional>
#include <system_error>

namespace bulkhead::os {

namespace {

using Word = std::atomic<std::int64_t>;
static_assert(Word::is_always_lock_free);

constexpr std::size_t clock_page = 4096;
std::atomic<Word*> suspended_ns{nullptr};   // shared with the workers, once there is a SignalWatch; none: never
std::optional<MemoryFile> memory;           // where that word stands, for children to map again
std::atomic<std::uint64_t> clock_owner{0};  // the process that may write it

// One place a listener. No lock: the handler may interrupt anything. All zero at first, so that they take no room in
// the program's file and lie with the other words that are stored to around a fork.
struct Place {
  std::atomic<bool> taken{false}, listens{false};  // while it listens, what follows stands
  int listener = 0;
  bool is_process = false;  // by its pidfd; else a socket, which gets
  std::span<const std::byte> pause, proceed;
};
std::array<Place, 64> places;
std::atomic<int> telling{0};  // handlers that are looking at listeners: none may be closed meanwhile

std::chrono::nanoseconds time_that_passes() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// A server that takes in nothing for so long has been stopped itself, or is gone.
void send(int socket, std::span<const std::byte> message) noexcept {
  constexpr int tries = 20, pause_ms = 50;
  for (int i = 0; i < tries; ++i) {
    if (::send(socket, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return;
    if (errno != EAGAIN && errno != EINTR) return;
    pollfd room{.fd = socket, .events = POLLOUT, .revents = 0};
    ::poll(&room, 1, pause_ms);
  }
}

void tell(std::span<const std::byte> Place::*message, int signal) noexcept {
  ++telling;
  for (const Place& place : places) {
    if (!place.listens) continue;
    if (place.is_process)
      ::syscall(SYS_pidfd_send_signal, place.listener, signal, nullptr, 0);
    else
      send(place.listener, place.*message);
  }
  --telling;
}

void stop_by(int signal) noexcept {
  struct sigaction usual {
  }, ours{};
  usual.sa_handler = SIG_DFL;
  sigset_t only, before;
  sigemptyset(&only);
  sigaddset(&only, signal);
  ::sigaction(signal, &usual, &ours);
  ::raise(signal);
  ::pthread_sigmask(SIG_UNBLOCK, &only, &before);  // here it stands still
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::sigaction(signal, &ours, nullptr);
}

}  // namespace

void prepare_for_suspension() {
  if (clock_owner == process_identity()) return;
  MemoryFile file("bulkhead-clock", clock_page);
  if (!file.occupy(0, clock_page)) throw std::system_error(ENOMEM, std::generic_category(), "fallocate(memfd)");
  void* const at = ::mmap(nullptr, clock_page, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd().get(), 0);
  if (at == MAP_FAILED) throw_errno("mmap");
  file.seal();
  Word* const word = ::new (at) Word(time_suspended().count());
  memory = std::move(file);
  suspended_ns = word;
  clock_owner = process_identity();
}

BULKHEAD_AT_BIRTH void follow_suspensions_of_parent() {
  for (Place& place : places)  // its listeners are not ours
    if (place.taken) place.listens = false, place.taken = false;
  if (clock_owner == 0 || !memory || !memory->fd()) return;
  void* const at = suspended_ns.load();
  if (::mmap(at, clock_page, PROT_READ, MAP_SHARED | MAP_FIXED, memory->fd().get(), 0) == MAP_FAILED)
    throw_errno("mmap");
  memory->close();
}

void suspend_by(int signal) noexcept {
  if (clock_owner != process_identity()) return;  // a child that has just been forked: its parent stops it
  const int error = errno;
  tell(&Place::pause, SIGTSTP);
  const auto before = time_that_passes();
  stop_by(signal);
  *suspended_ns.load() += (time_that_passes() - before).count();
  tell(&Place::proceed, SIGCONT);
  errno = error;
}

BULKHEAD_AT_BIRTH std::chrono::nanoseconds time_suspended() noexcept {
  const Word* const word = suspended_ns.load();
  return std::chrono::nanoseconds(word != nullptr ? word->load() : 0);
}

SuspensionListener::SuspensionListener(int listener, std::span<const std::byte> pause,
                                       std::span<const std::byte> proceed) noexcept
    : place_(0) {
  for (; place_ < places.size(); ++place_) {
    Place& place = places[place_];
    if (bool no = false; !place.taken.compare_exchange_strong(no, true)) continue;
    place.is_process = pause.empty();
    place.pause = pause;
    place.proceed = proceed;
    place.listener = listener;
    place.listens = true;
    return;
  }
}

SuspensionListener::SuspensionListener(const Fd& pidfd) noexcept : SuspensionListener(pidfd.get(), {}, {}) {}

SuspensionListener::~SuspensionListener() {
  if (place_ == places.size()) return;
  places[place_].listens = false;
  while (telling != 0) ::poll(nullptr, 0, 1);
  places[place_].taken = false;
}

}  // namespace bulkhead::os

namespace bulkhead {

WorkClock::duration WorkClock::suspended() noexcept { return os::time_suspended(); }

WorkClock::time_point WorkClock::now() noexcept {
  return time_point(std::chrono::steady_clock::now().time_since_epoch() - suspended());
}

}  // namespace bulkhead
