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

std::string read_to_end(int fd) {
  std::string all;
  std::array<char, 4096> piece;
  for (ssize_t n = 0; (n = ::read(fd, piece.data(), piece.size())) > 0;) all.append(piece.data(), std::size_t(n));
  return all;
}

// 'd' and the figures, or 'e' and the words of an exception.
void answer(int fd, const std::function<std::vector<double>()>& body) {
  try {
    const std::vector<double> figures = body();
    write_all(fd, "d", 1);
    write_all(fd, figures.data(), figures.size() * sizeof(double));
  } catch (const std::exception& error) {
    write_all(fd, "e", 1);
    write_all(fd, error.what(), std::strlen(error.what()));
  }
}

std::vector<double> understand(const std::string& said) {
  if (said.empty()) throw std::runtime_error("a process of the measurement died");
  if (said.front() == 'e') throw std::runtime_error(said.substr(1));
  std::vector<double> figures((said.size() - 1) / sizeof(double));
  std::memcpy(figures.data(), said.data() + 1, figures.size() * sizeof(double));
  return figures;
}

}  // namespace

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
      answer(pipe[1], [&] { return body(i); });
    });
    ::close(pipe[1]);
    ends.push_back(pipe[0]);
  }
  std::vector<std::string> said;
  for (const int end : ends) {
    said.push_back(read_to_end(end));
    ::close(end);
  }
  std::vector<std::vector<double>> figures;
  for (const std::string& words : said) figures.push_back(understand(words));
  return figures;
}

double peak_mib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

}  // namespace bench
