// The signals that ask a program to stop, counted instead of suffered.
#pragma once

#include <string>

namespace bulkhead {

/// While one lives, SIGINT, SIGTERM, SIGHUP and SIGUSR1 are counted and end nothing; SIGPIPE and SIGXFSZ are ignored,
/// so that writing reports its error. A signal that was ignored when it was made stays ignored. Make it before any work
/// is started, one in a program, in the main thread; its destructor puts everything back. Throws std::system_error.
///
/// SIGTSTP (Ctrl-Z), SIGTTIN and SIGTTOU stop the program as they always do, but before it every worker of its process
/// runs with all that these have started (one that is forked directly, and waits for a program, stops only that);
/// SIGCONT lets all go on, and WorkClock leaves the time between out. Where the system does not stop the program,
/// because no shell is there that could continue it, all go on at once. A program that is killed while it is stopped
/// takes its workers along, as ever. SIGSTOP cannot be seen: it stops the program alone, and the workers go on with
/// what they have.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// How many SIGINT and SIGTERM have come.
  int stops() const noexcept;
  /// The first of them; 0: none.
  int first_stop() const noexcept;
  /// True once a SIGHUP has come.
  bool hung_up() const noexcept;
  /// How many SIGUSR1 have come.
  int lists() const noexcept;
};

/// "SIGSEGV"; "signal 77" for one that has no name.
std::string signal_name(int signal);

/// Opens /dev/null where standard input, output or error were closed, so that no file of ours takes their place.
void open_standard_streams() noexcept;

}  // namespace bulkhead
