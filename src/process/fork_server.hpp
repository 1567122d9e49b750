// The fork server, as the coordinator sees it: a process of few words that forks the workers, reaps them, and ends what
// they leave behind.
//
// Its workers are forked by a process with one thread, in which nobody holds a lock; at the same price whatever the
// host has touched since; and as nobody's child that the host might wait for by mistake. The server adopts what escapes
// from a worker's process group. When the coordinator ends, however it ends, the server takes everything along; when
// the server is killed, the workers go on, and a new one is forked from the coordinator's process.
//
// When the program is suspended the server stops the workers and goes on itself: it must see the coordinator's end.
//
// With Isolation::pid the server is the first process of a pid namespace, below a guardian that is the coordinator's
// child: whichever of the three ends, the kernel ends the server and all that lives in the namespace.
#pragma once

#include "os/child.hpp"
#include "os/descriptor_socket.hpp"
#include "os/suspension.hpp"
#include "process/birth.hpp"
#include "process/fork_server_messages.hpp"

#include <bulkhead/options.hpp>

#include <optional>
#include <vector>

namespace bulkhead::process {

class ForkServer {
 public:
  /// Forks. `kept` are private descriptors that workers need at birth. Of `options` it heeds `isolation` and
  /// `crash_notes`; with Isolation::pid it waits until the namespace stands. Throws std::system_error.
  ForkServer(Life life, const std::vector<int>& kept, const WorkOptions& options);
  /// Ends it, every worker, and all that these left, and waits for that.
  ~ForkServer();
  ForkServer(const ForkServer&) = delete;
  ForkServer& operator=(const ForkServer&) = delete;

  /// False: the server is gone or does not listen.
  bool ask_for_worker(std::uint64_t worker, const Cradle& cradle, Birth birth) noexcept;
  void terminate_group(std::uint64_t worker) noexcept;
  /// Nobody is asked for any more: with the last worker's end the server ends too, and is `gone`.
  void let_leave() noexcept;

  enum class Word { report, none, gone };
  struct Received {
    Word word = Word::none;
    Report report{};
    os::Fd pidfd{};
  };
  Received receive();

  const os::Fd& socket() const noexcept { return socket_.fd(); }
  const os::Fd& pidfd() const noexcept { return child_.pidfd(); }
  long pid() const noexcept { return child_.pid(); }
  /// Whether all its workers end with it.
  bool takes_workers_along() const noexcept { return static_cast<bool>(first_); }
  void kill() noexcept { child_.kill(); }

 private:
  void await_namespace();
  void collect() noexcept;

  os::DescriptorSocket socket_;
  os::Child child_;  // the server, or the guardian of its namespace
  os::Fd first_;     // the server, where it is the first of a pid namespace
  std::optional<os::SuspensionListener> paused_with_us_;
};

}  // namespace bulkhead::process
