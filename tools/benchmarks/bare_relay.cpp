// The floor of output that is not mixed: each program writes to a pipe of its own, and what it wrote is passed on when
// it has ended. Two processes, each with one program at a time and a buffer for all that it writes; nothing else is
// done. Usage: bare_relay COUNT PROGRAM [ARG...]     the record is one more ARG; standard output gets what they print
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace {

void require(bool holds) {
  if (!holds) ::_exit(1);
}

class Relay {
 public:
  Relay(std::vector<char*> program, const int (&turn)[2]) : program_(std::move(program)), turn_(turn) {}

  void run(int first, int count) {
    for (int record = first; record < count; record += 2) {
      const std::size_t size = hear(record);
      char token = 0;
      require(::read(turn_[0], &token, 1) == 1);
      for (std::size_t at = 0; at < size;) {
        const ssize_t n = ::write(1, buffer_.data() + at, size - at);
        require(n > 0);
        at += static_cast<std::size_t>(n);
      }
      require(::write(turn_[1], &token, 1) == 1);
    }
  }

 private:
  // Runs the program to its end. Returns how much it printed.
  std::size_t hear(int record) {
    int pipe[2];
    require(::pipe2(pipe, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    require(::posix_spawn_file_actions_init(&actions) == 0);
    require(::posix_spawn_file_actions_adddup2(&actions, pipe[1], 1) == 0);
    std::string word = std::to_string(record);
    std::vector<char*> words = program_;
    words.push_back(word.data());
    words.push_back(nullptr);
    pid_t pid = -1;
    require(::posix_spawn(&pid, words[0], &actions, nullptr, words.data(), environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    std::size_t size = 0;
    constexpr ssize_t filled = 64 << 10;  // what a pipe holds at first
    for (bool large = false;;) {
      if (size == buffer_.size()) buffer_.resize(2 * size);
      const ssize_t n = ::read(pipe[0], buffer_.data() + size, buffer_.size() - size);
      require(n >= 0);
      if (n == 0) break;
      size += static_cast<std::size_t>(n);
      if (n >= filled && !std::exchange(large, true)) ::fcntl(pipe[0], F_SETPIPE_SZ, 1 << 20);
    }
    ::close(pipe[0]);
    int status = 0;
    require(::waitpid(pid, &status, 0) == pid && status == 0);
    return size;
  }

  std::vector<char*> program_;
  const int (&turn_)[2];
  std::vector<char> buffer_ = std::vector<char>(2u << 20);
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int count = std::atoi(argv[1]);
  int turn[2];
  require(::pipe2(turn, O_CLOEXEC) == 0 && ::write(turn[1], "", 1) == 1);
  Relay relay(std::vector<char*>(argv + 2, argv + argc), turn);
  const pid_t other = ::fork();
  require(other >= 0);
  relay.run(other == 0 ? 0 : 1, count);
  if (other == 0) ::_exit(0);
  int status = 0;
  require(::waitpid(other, &status, 0) == other && status == 0);
  return 0;
}
