// The floor of starting programs: posix_spawn and wait, two at a time, and nothing else.
// Usage: bare_spawn LOOPS COUNT PROGRAM [ARG...]     LOOPS 1: two at a time; 2: two processes with one at a time each
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace {

void start(const std::vector<char*>& words) {
  pid_t pid = -1;
  if (::posix_spawn(&pid, words[0], nullptr, nullptr, words.data(), environ) != 0) ::_exit(1);
}

void bury() {
  int status = 0;
  if (::wait(&status) < 0 || status != 0) ::_exit(1);
}

void run(const std::vector<char*>& program, int count, int at_once) {
  for (int i = 0; i < count; ++i) {
    std::string record = std::to_string(i);
    std::vector<char*> words = program;
    words.push_back(record.data());
    words.push_back(nullptr);
    if (i >= at_once) bury();
    start(words);
  }
  for (int i = 0; i < (count < at_once ? count : at_once); ++i) bury();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const int loops = std::atoi(argv[1]), count = std::atoi(argv[2]);
  const std::vector<char*> program(argv + 3, argv + argc);
  if (loops == 1) {
    run(program, count, 2);
    return 0;
  }
  const pid_t other = ::fork();
  run(program, other == 0 ? count / 2 : count - count / 2, 1);
  if (other == 0) ::_exit(0);
  bury();
  return 0;
}
