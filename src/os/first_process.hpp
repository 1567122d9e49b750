// A program in a pid namespace of its own: below a first process, which collects what loses its parents there. A
// program cannot be the first process itself, since a signal that such a one does not handle has no effect on it.
//
//    worker ── clone(new namespaces) ──> first process (pid 1) ── clone ──> program (pid 2) ──> what it starts
//      ^   <── started, with a pidfd │ refused ──  |
//      └── end ──>   <── how it ended, what it left ┘   then pid 1 ends, and the kernel ends all that is left
#pragma once

#include "os/child.hpp"
#include "os/descendants.hpp"
#include "os/descriptor_socket.hpp"

#include <optional>

namespace bulkhead::os {

struct ProgramImage;
class ProgramStart;
struct Spawned;

/// The first process, as the worker that made it sees it.
class FirstProcess {
 public:
  FirstProcess() noexcept : socket_(Fd()) {}
  FirstProcess(Child child, DescriptorSocket socket) noexcept : child_(std::move(child)), socket_(std::move(socket)) {}

  int pid() const noexcept { return child_.pid(); }
  explicit operator bool() const noexcept { return static_cast<bool>(child_); }

  /// The kernel ends the whole namespace with it.
  void kill() const noexcept { child_.kill(); }

  struct End {
    Reaped program;
    bool left_something = false;
  };
  /// After the program has ended, or this was killed: how it ended. When this returns, no process of the namespace is
  /// left.
  End collect();

  /// Waits for the word that the program has started: fills in the rest, or why it has not.
  void await_start(Spawned& spawned);

 private:
  Child child_;
  DescriptorSocket socket_;
};

/// spawn() in namespaces of its own. `image` asks for them.
Spawned spawn_in_namespace(const ProgramImage& image, ProgramStart& start);

}  // namespace bulkhead::os
