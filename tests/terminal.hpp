// A terminal for the built program: a pseudo-terminal, the shell that manages its jobs, and what stands on its screen.
#pragma once

#include "outside.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outside {

/// What a person sees. Lines are kept whole and broken into rows as the width of the moment wants it, as terminals do
/// that reflow.
class Screen {
 public:
  explicit Screen(unsigned columns) : columns_(columns) {}
  void take(std::string_view bytes);
  void resize(unsigned columns) { columns_ = columns; }
  /// The lines from the first on, without empty ones at the end.
  std::vector<std::string> lines() const;

 private:
  void control(char letter);

  std::size_t columns_;
  std::vector<std::string> lines_{""};
  std::size_t line_ = 0, column_ = 0;
  std::string sequence_;  // of an escape sequence that is not whole yet
};

/// The program in the foreground of a terminal of its own, below a process that does what a shell does for its job.
class TerminalJob {
 public:
  using Environment = std::map<std::string, std::string>;
  /// TERM is xterm unless `environment` says otherwise; NO_COLOR and CLICOLOR_FORCE are not inherited.
  explicit TerminalJob(Words words, Environment environment = {}, unsigned columns = 80);
  /// A function in the place of the program: it returns the status.
  explicit TerminalJob(const std::function<int()>& program);
  /// Ends the job and its shell, by the ways that a terminal has: it hangs up.
  ~TerminalJob();
  TerminalJob(const TerminalJob&) = delete;
  TerminalJob& operator=(const TerminalJob&) = delete;

  void type(std::string_view keys);
  void resize(unsigned columns);
  /// The shell's fg: the job gets the terminal back, and goes on.
  void foreground();
  void signal(int number);

  /// Takes in what the program writes until the bytes hold `text` behind what an earlier call has found. False: not
  /// within half a minute.
  bool wait_for(std::string_view text);
  /// The job was stopped (true) or has ended (false), whichever comes first; in half a minute, or the test fails.
  bool wait_until_stopped();
  /// What the shell would call its status. Takes in everything that is written until the end.
  int wait_for_end();

  const std::string& bytes() const noexcept { return bytes_; }
  const Screen& screen() const noexcept { return screen_; }
  int pid() const noexcept { return job_; }

 private:
  void start(const std::function<int()>& program, unsigned columns);
  bool take_in(std::chrono::steady_clock::time_point until);
  std::optional<char> word();

  int terminal_ = -1, orders_ = -1, news_ = -1;
  int shell_ = 0, job_ = 0;
  bool ended_ = false;
  std::string bytes_, words_;
  std::size_t found_ = 0;
  Screen screen_;
};

}  // namespace outside
