// What it costs to isolate one program, without a library: a worker that sees to it, the program below that, and an
// orderly end. Usage: bare_start PROGRAM [ARG...]
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace {

using Pipe = std::array<int, 2>;

Pipe make_pipe() {
  Pipe ends{};
  if (::pipe(ends.data()) != 0) ::_exit(3);
  return ends;
}

/// Until all who hold the other end have gone.
void wait_for_end(const Pipe& pipe) {
  char none = 0;
  ::close(pipe[1]);
  while (::read(pipe[0], &none, 1) > 0) continue;
}

template <class Life>
void fork_off(Life life) {
  const pid_t pid = ::fork();
  if (pid < 0) ::_exit(3);
  if (pid != 0) return;
  life();
  ::_exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const Pipe result = make_pipe(), end = make_pipe();
  fork_off([&] {
    pid_t pid = -1;
    int status = 1;
    if (::posix_spawn(&pid, argv[1], nullptr, nullptr, argv + 1, environ) == 0) ::waitpid(pid, &status, 0);
    const char byte = status == 0;
    if (::write(result[1], &byte, 1) != 1) ::_exit(3);
    wait_for_end(end);
  });
  char byte = 0;
  const bool told = ::read(result[0], &byte, 1) == 1;
  ::close(end[1]);
  while (::wait(nullptr) > 0) continue;
  return told && byte == 1 ? 0 : 1;
}
