#include "program.hpp"

#include "child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// The read end of its standard output, where there is a reader; else -1.
struct Started {
  pid_t pid = -1;
  int output = -1;
};

enum class Group { ours, its_own };

Started spawn(const Command& command, Group group) {
  std::array<int, 2> pipe{-1, -1};
  if (command.reader && ::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, command.input.c_str(), O_RDONLY, 0);
  if (command.reader)
    ::posix_spawn_file_actions_adddup2(&files, pipe[1], 1);
  else
    ::posix_spawn_file_actions_addopen(&files, 1, command.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (command.quiet) ::posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  if (group == Group::its_own) ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::vector<char*> words;
  for (const std::string& word : command.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  Started started{-1, pipe[0]};
  const int error = ::posix_spawnp(&started.pid, words[0], &files, &attributes, words.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  if (pipe[1] >= 0) ::close(pipe[1]);
  if (error != 0) throw std::runtime_error("cannot start " + command.words[0]);
  return started;
}

// Until the process has ended and its output has been read to the end.
void attend(const Command& command, const Started& started, Run& run) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, started.pid, 0));
  std::array<pollfd, 2> ends{{{pidfd, POLLIN, 0}, {started.output, POLLIN, 0}}};
  std::vector<char> buffer(1 << 20);
  auto looked = Clock::now();
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    ::poll(ends.data(), ends.size(), command.watch_peak ? 5 : -1);
    if (ends[1].revents != 0) {
      const ssize_t n = ::read(started.output, buffer.data(), buffer.size());
      if (n <= 0)
        ends[1].fd = -1;
      else
        command.reader({buffer.data(), static_cast<std::size_t>(n)});
    }
    if (ends[0].revents != 0) ends[0].fd = -1;
    if (command.watch_peak && Clock::now() - looked > std::chrono::milliseconds(5)) {
      run.peak_mib = std::max(run.peak_mib, peak_mib(started.pid));
      looked = Clock::now();
    }
  }
  ::close(pidfd);
  if (started.output >= 0) ::close(started.output);
}

}  // namespace

Run run(const Command& command) {
  const auto begin = Clock::now();
  const Started started = spawn(command, Group::ours);
  Run run;
  int status = 0;
  try {
    attend(command, started, run);
  } catch (...) {
    ::kill(started.pid, SIGKILL);
    ::waitpid(started.pid, nullptr, 0);
    throw;
  }
  ::waitpid(started.pid, &status, 0);
  run.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (status != 0) throw std::runtime_error(command.words[0] + " ended with wait status " + std::to_string(status));
  return run;
}

int start(const Command& command) { return spawn(command, Group::its_own).pid; }

std::string first_line_of(const std::string& shell_command) {
  std::FILE* const output = ::popen((shell_command + " 2>/dev/null").c_str(), "r");
  if (!output) return {};
  std::string line;
  for (int c = 0; (c = std::fgetc(output)) != EOF && c != '\n';) line.push_back(static_cast<char>(c));
  while (std::fgetc(output) != EOF) continue;  // or it would end by SIGPIPE
  ::pclose(output);
  return line;
}

bool is_installed(const std::string& program) { return !first_line_of("command -v " + program).empty(); }

std::string bulkhead_program() { return BULKHEAD_BENCH_BUILD "/bulkhead"; }
std::string beside(const std::string& name) { return BULKHEAD_BENCH_BUILD "/benchmarks/" + name; }

ScratchDirectory::ScratchDirectory() : path_(std::filesystem::temp_directory_path() / "bulkhead-bench-XXXXXX") {
  if (!::mkdtemp(path_.data())) throw std::runtime_error("mkdtemp failed: " + path_);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ScratchDirectory::file(const std::string& name, std::size_t lines,
                                   const std::function<std::string(std::size_t)>& line) {
  std::ofstream out(path(name));
  for (std::size_t i = 0; i < lines; ++i) out << line(i) << '\n';
  if (!out.flush()) throw std::runtime_error("cannot write " + path(name));
  return path(name);
}

}  // namespace bench
