#include "child.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

namespace bench {
namespace {

void write_all(int fd, const void* data, std::size_t size) {
  for (std::size_t done = 0; done < size;) {
    const ssize_t n = ::write(fd, static_cast<const char*>(data) + done, size - done);
    if (n <= 0) ::_exit(1);
    done += static_cast<std::size_t>(n);
  }
}

// Throws where the other end has gone before.
void read_all(int fd, void* data, std::size_t size) {
  for (std::size_t done = 0; done < size;) {
    const ssize_t n = ::read(fd, static_cast<char*>(data) + done, size - done);
    if (n <= 0) throw std::runtime_error("a process of the measurement died");
    done += static_cast<std::size_t>(n);
  }
}

struct AnswerHead {
  std::size_t bytes = 0;  // that follow: figures, or the words of an exception
  bool failed = false;
};

void send(int fd, bool failed, const void* data, std::size_t bytes) {
  const AnswerHead head{bytes, failed};
  write_all(fd, &head, sizeof head);
  write_all(fd, data, bytes);
}

}  // namespace

void send_answer(int fd, const std::function<std::vector<double>()>& body) {
  try {
    const std::vector<double> figures = body();
    send(fd, false, figures.data(), figures.size() * sizeof(double));
  } catch (const std::exception& error) {
    send(fd, true, error.what(), std::strlen(error.what()));
  }
}

std::vector<double> receive_answer(int fd) {
  AnswerHead head;
  read_all(fd, &head, sizeof head);
  if (head.failed) {
    std::string words(head.bytes, ' ');
    read_all(fd, words.data(), words.size());
    throw std::runtime_error(words);
  }
  std::vector<double> figures(head.bytes / sizeof(double));
  read_all(fd, figures.data(), head.bytes);
  return figures;
}

Children::~Children() {
  for (const pid_t pid : pids_) ::kill(pid, SIGKILL);
  for (const pid_t pid : pids_) ::waitpid(pid, nullptr, 0);
}

void Children::start(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    try {
      body();
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  pids_.push_back(pid);
}

std::vector<std::vector<double>> in_children(std::size_t count,
                                             const std::function<std::vector<double>(std::size_t)>& body) {
  Children children;
  std::vector<int> ends;
  for (std::size_t i = 0; i < count; ++i) {
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) throw std::runtime_error("pipe failed");
    children.start([&] {
      ::close(pipe[0]);
      send_answer(pipe[1], [&] { return body(i); });
    });
    ::close(pipe[1]);
    ends.push_back(pipe[0]);
  }
  std::vector<std::vector<double>> figures;
  for (const int end : ends) figures.push_back(receive_answer(end));
  for (const int end : ends) ::close(end);
  return figures;
}

double peak_mib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

}  // namespace bench
