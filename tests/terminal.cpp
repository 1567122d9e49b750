#include "terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace outside {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

void Screen::control(char letter) {
  const std::size_t row = column_ / columns_ * columns_;
  std::string& line = lines_[line_];
  if (letter == 'K') {
    line.replace(std::min(column_, line.size()), row + columns_ - column_, "");
  } else if (letter == 'J') {
    line.resize(std::min(column_, line.size()));
    lines_.resize(line_ + 1);
  }
}

void Screen::take(std::string_view bytes) {
  for (const char c : bytes) {
    if (!sequence_.empty()) {
      sequence_ += c;
      if (c == '[' || (c >= '0' && c <= '9') || c == ';') continue;
      control(c);
      sequence_.clear();
    } else if (c == '\x1b') {
      sequence_ = c;
    } else if (c == '\r') {
      column_ = column_ / columns_ * columns_;  // to the beginning of the row, and not of the line
    } else if (c == '\n') {
      if (++line_ == lines_.size()) lines_.emplace_back();
      column_ = 0;
    } else {
      std::string& line = lines_[line_];
      if (line.size() <= column_) line.resize(column_ + 1, ' ');
      line[column_++] = c;
    }
  }
}

std::vector<std::string> Screen::lines() const {
  std::vector<std::string> all = lines_;
  while (!all.empty() && all.back().empty()) all.pop_back();
  return all;
}

namespace {

constexpr auto patience = 30s;

int become(const Words& words, const TerminalJob::Environment& environment) {
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  ::unsetenv("CLICOLOR_FORCE");
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments.front(), arguments.data());
  return 127;
}

void say(int news, char kind, int number) {
  std::array<char, 1 + sizeof number> message{kind};
  std::memcpy(message.data() + 1, &number, sizeof number);
  if (::write(news, message.data(), message.size()) < 0) ::_exit(1);
}

// What a shell with job control does for one job. Each order is answered by the job's next change: stopped or ended.
[[noreturn]] void manage(int orders, int news, const std::function<int()>& program) {
  ::signal(SIGTTOU, SIG_IGN);
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGHUP, SIG_DFL);
  const pid_t job = ::fork();
  if (job == 0) {
    ::setpgid(0, 0);
    ::tcsetpgrp(STDIN_FILENO, ::getpid());
    for (const int number : {SIGTTOU, SIGINT, SIGTSTP}) ::signal(number, SIG_DFL);
    ::close(orders);
    ::close(news);
    ::_exit(program());
  }
  ::setpgid(job, job);
  say(news, 'p', job);
  for (;;) {
    int status = 0;
    if (::waitpid(job, &status, WUNTRACED) < 0) ::_exit(1);
    if (!WIFSTOPPED(status)) {
      say(news, 'e', WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
      ::_exit(0);
    }
    ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
    say(news, 's', 0);
    char order = 0;
    if (::read(orders, &order, 1) != 1) ::_exit(1);
    ::tcsetpgrp(STDIN_FILENO, job);
    ::kill(-job, SIGCONT);
  }
}

}  // namespace

TerminalJob::TerminalJob(Words words, Environment environment, unsigned columns) : screen_(columns) {
  words.insert(words.begin(), BULKHEAD_TOOL);
  start([&] { return become(words, environment); }, columns);
}

TerminalJob::TerminalJob(const std::function<int()>& program) : screen_(80) { start(program, 80); }

void TerminalJob::start(const std::function<int()>& program, unsigned columns) {
  int to_shell[2], from_shell[2];
  REQUIRE(::pipe2(to_shell, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(from_shell, O_CLOEXEC) == 0);
  const winsize size{.ws_row = 24, .ws_col = static_cast<unsigned short>(columns), .ws_xpixel = 0, .ws_ypixel = 0};
  shell_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
  REQUIRE(shell_ >= 0);
  if (shell_ == 0) manage(to_shell[0], from_shell[1], program);
  ::fcntl(terminal_, F_SETFD, FD_CLOEXEC);
  ::close(to_shell[0]);
  ::close(from_shell[1]);
  orders_ = to_shell[1];
  news_ = from_shell[0];
  std::array<char, 1 + sizeof job_> first{};
  REQUIRE(::read(news_, first.data(), first.size()) == static_cast<ssize_t>(first.size()));
  std::memcpy(&job_, first.data() + 1, sizeof job_);
}

// The job is the shell's child and unreaped as long as it has not said otherwise, so its number is its own.
TerminalJob::~TerminalJob() {
  if (!ended_) ::kill(job_, SIGKILL);
  ::close(terminal_);
  ::close(orders_);
  ::close(news_);
  ::kill(shell_, SIGKILL);
  ::waitpid(shell_, nullptr, 0);
}

void TerminalJob::type(std::string_view keys) {
  REQUIRE(::write(terminal_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
}

void TerminalJob::resize(unsigned columns) {
  const winsize size{.ws_row = 24, .ws_col = static_cast<unsigned short>(columns), .ws_xpixel = 0, .ws_ypixel = 0};
  take_in(Clock::now());
  REQUIRE(::ioctl(terminal_, TIOCSWINSZ, &size) == 0);  // the kernel sends SIGWINCH to the foreground
  screen_.resize(columns);
}

void TerminalJob::foreground() { REQUIRE(::write(orders_, "f", 1) == 1); }
void TerminalJob::signal(int number) {
  if (!ended_) ::kill(job_, number);
}

// Something came before then.
bool TerminalJob::take_in(Clock::time_point until) {
  std::array<pollfd, 2> ready{{{terminal_, POLLIN, 0}, {news_, POLLIN, 0}}};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  if (::poll(ready.data(), ready.size(), static_cast<int>(std::max<std::int64_t>(left, 0))) <= 0) return false;
  std::array<char, 65536> chunk;
  bool any = false;
  if (ready[0].revents != 0) {
    const ssize_t got = ::read(terminal_, chunk.data(), chunk.size());
    any = got > 0;
    if (any) bytes_.append(chunk.data(), static_cast<std::size_t>(got));
    if (any) screen_.take({chunk.data(), static_cast<std::size_t>(got)});
  }
  if (ready[1].revents != 0 && !any) {
    const ssize_t got = ::read(news_, chunk.data(), chunk.size());
    any = got > 0;
    if (any) words_.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return any;
}

bool TerminalJob::wait_for(std::string_view text) {
  for (const auto until = Clock::now() + patience;;) {
    if (const std::size_t at = bytes_.find(text, found_); at != bytes_.npos) {
      found_ = at + text.size();
      return true;
    }
    if (!take_in(until)) return false;
  }
}

std::optional<char> TerminalJob::word() {
  const auto until = Clock::now() + patience;
  while (words_.size() < 1 + sizeof(int))
    if (!take_in(until)) return std::nullopt;
  return words_.front();
}

bool TerminalJob::wait_until_stopped() {
  const auto kind = word();
  REQUIRE(kind);
  if (*kind == 's') words_.erase(0, 1 + sizeof(int));
  return *kind == 's';
}

int TerminalJob::wait_for_end() {
  const auto kind = word();
  REQUIRE(kind == 'e');
  ended_ = true;
  while (take_in(Clock::now() + 50ms)) {
  }
  int status = 0;
  std::memcpy(&status, words_.data() + 1, sizeof status);
  return status;
}

}  // namespace outside
