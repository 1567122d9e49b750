#include <bulkhead/signals.hpp>

#include "os/program_start.hpp"
#include "os/signal_name.hpp"
#include "os/suspension.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>

namespace bulkhead {

namespace {

std::atomic<int> stops_seen{0};
std::atomic<int> first_stop_seen{0};
std::atomic<int> lists_seen{0};
std::atomic<bool> hang_up_seen{false};
static_assert(std::atomic<int>::is_always_lock_free);

void count_stop(int sig) {
  if (stops_seen.fetch_add(1) == 0) first_stop_seen = sig;
}
void note_hang_up(int) { hang_up_seen = true; }
void count_list(int) { ++lists_seen; }

struct Watched {
  int signal;
  void (*action)(int);
  struct sigaction before;
};
std::array<Watched, 9> watched{{{SIGINT, count_stop, {}},
                                {SIGTERM, count_stop, {}},
                                {SIGHUP, note_hang_up, {}},
                                {SIGUSR1, count_list, {}},
                                {SIGTSTP, os::suspend_by, {}},
                                {SIGTTIN, os::suspend_by, {}},
                                {SIGTTOU, os::suspend_by, {}},
                                {SIGPIPE, SIG_IGN, {}},
                                {SIGXFSZ, SIG_IGN, {}}}};

}  // namespace

SignalWatch::SignalWatch() {
  os::remember_ignored_signals();
  os::prepare_for_suspension();
  stops_seen = 0;
  first_stop_seen = 0;
  hang_up_seen = false;
  lists_seen = 0;
  for (Watched& w : watched) {
    ::sigaction(w.signal, nullptr, &w.before);
    if (w.before.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = w.action;  // without SA_RESTART: a wait is cut short and the loop looks round
    ::sigaction(w.signal, &action, nullptr);
  }
}

SignalWatch::~SignalWatch() {
  for (const Watched& w : watched) ::sigaction(w.signal, &w.before, nullptr);
}

int SignalWatch::stops() const noexcept { return stops_seen; }
int SignalWatch::first_stop() const noexcept { return first_stop_seen; }
int SignalWatch::lists() const noexcept { return lists_seen; }
bool SignalWatch::hung_up() const noexcept { return hang_up_seen; }

std::string signal_name(int signal) { return os::signal_name(signal); }

void open_standard_streams() noexcept {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));  // takes the lowest free number: fd
}

}  // namespace bulkhead
