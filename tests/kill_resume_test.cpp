// A run that is killed at random instants and resumed until it is done: every record logged once, none lost.
#include "outside.hpp"
#include "storm_seed.hpp"

#include "logs/joblog.hpp"

#include <bulkhead/command.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace outside;

namespace {

constexpr int record_count = 3000;

struct Logged {
  int lines = 0, successes = 0;
  bool succeeded_last = false;
};

// By sequence; whole lines only, and there must be nothing else but a torn one at the end.
std::map<int, Logged> logged_in(const std::string& text) {
  std::map<int, Logged> all;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && !lines.eof()) {
    INFO(line);
    REQUIRE(bulkhead::tool::is_whole_entry(line));
    std::istringstream columns(line);
    std::string host, started, ran, send, receive;
    int sequence = 0, code = -1, signal = -1;
    columns >> sequence >> host >> started >> ran >> send >> receive >> code >> signal;
    Logged& task = all[sequence];
    ++task.lines;
    task.succeeded_last = code == 0 && signal == 0;
    task.successes += task.succeeded_last ? 1 : 0;
  }
  return all;
}

// In angle brackets, each: a program that is killed, or still about to be, may have written but the beginning of one,
// where a page of the file ends, and the next stands right behind that.
std::vector<int> numbers_in(const std::string& text) {
  std::vector<int> all;
  for (std::size_t end = 0; (end = text.find('>', end)) != std::string::npos; ++end) {
    const std::size_t begin = text.rfind('<', end) + 1;
    all.push_back(std::stoi(text.substr(begin, end - begin)));
  }
  return all;
}

// Starts it, kills it when it has had `life`, and reaps it. Returns whether it came to its own end before, with what.
std::optional<int> live_for(const Words& words, std::optional<std::chrono::microseconds> life) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  REQUIRE(::posix_spawn(&pid, arguments.front(), nullptr, nullptr, arguments.data(), environ) == 0);
  if (life) {
    std::this_thread::sleep_for(*life);
    ::kill(pid, SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? std::optional(WEXITSTATUS(status)) : std::nullopt;
}

class ResumeStorm {
 public:
  explicit ResumeStorm(const std::string& resume) : resume_(resume) {
    std::string text;
    for (int i = 1; i <= record_count; ++i) text += std::to_string(i) + "\n";
    place_.write("records", text);
    std::filesystem::create_directory(place_ / "tried");
  }

  // The task says that it runs; every seventh fails when it is tried first.
  Words words() const {
    const std::string script =
        "echo \"<$1>\" >> \"$2/ran\"; [ $(($1 % 7)) -ne 0 ] || [ -e \"$2/tried/$1\" ] || { : > "
        "\"$2/tried/$1\"; exit 1; }";
    return {BULKHEAD_TOOL,      "run", "-q", "-j2",  "--joblog", place_ / "log", resume_,      "-a",
            place_ / "records", "sh",  "-c", script, "x",        "{}",           place_.path()};
  }

  // Kills for a while, then lets it come to its end. Returns the last status.
  int rage(std::mt19937& random) {
    const auto calm = std::chrono::steady_clock::now() + 12s;  // of thousands of tasks a run of 60 ms makes some
    int kills = 0;
    for (;;) {
      const bool spare = std::chrono::steady_clock::now() >= calm;
      const std::map<int, Logged> before = logged_in(place_.read("log"));
      const std::size_t ran_before = numbers_in(place_.read("ran")).size();
      const auto life = std::chrono::microseconds(random() % 60'000);
      const std::optional<int> status =
          live_for(words(), spare ? std::nullopt : std::optional<std::chrono::microseconds>(life));
      expect_nothing_done_again(before, ran_before);
      if (status) {
        std::printf("%d kills\n", kills);
        return *status;
      }
      ++kills;
    }
  }

  std::map<int, Logged> logged() const { return logged_in(place_.read("log")); }
  std::set<int> ran() const {
    const std::vector<int> all = numbers_in(place_.read("ran"));
    return {all.begin(), all.end()};
  }

 private:
  bool only_failed() const { return resume_ == "--resume-failed"; }

  // What was logged, and with --resume-failed as successful, is not started any more.
  void expect_nothing_done_again(const std::map<int, Logged>& before, std::size_t ran_before) const {
    const std::vector<int> ran = numbers_in(place_.read("ran"));
    for (std::size_t i = ran_before; i < ran.size(); ++i) {
      const auto known = before.find(ran[i]);
      if (known == before.end()) continue;
      INFO("task " << ran[i] << " ran again");
      REQUIRE((only_failed() && !known->second.succeeded_last));
    }
  }

  Directory place_;
  std::string resume_;
};

}  // namespace

TEST_CASE("three thousand records survive SIGKILL at any instant: --resume logs each once", "[kill-resume][long]") {
  std::mt19937 random(chosen_seed());
  ResumeStorm storm("--resume");
  const int status = storm.rage(random);
  CHECK((status == 0 || status == 1));  // of those that failed, some may all have been logged before
  const std::map<int, Logged> logged = storm.logged();
  REQUIRE(logged.size() == record_count);
  for (const auto& [sequence, task] : logged) {
    INFO("task " << sequence);
    REQUIRE(task.lines == 1);
    REQUIRE((task.succeeded_last || sequence % 7 == 0));
  }
  CHECK(storm.ran().size() == record_count);
}

TEST_CASE("three thousand records survive SIGKILL at any instant: --resume-failed repeats what failed",
          "[kill-resume][long]") {
  std::mt19937 random(chosen_seed());
  ResumeStorm storm("--resume-failed");
  while (storm.rage(random) != 0) {
  }
  const std::map<int, Logged> logged = storm.logged();
  REQUIRE(logged.size() == record_count);
  for (const auto& [sequence, task] : logged) {
    INFO("task " << sequence);
    REQUIRE(task.succeeded_last);
    REQUIRE(task.successes == 1);
    REQUIRE(task.lines <= (sequence % 7 == 0 ? 2 : 1));
  }
  CHECK(storm.ran().size() == record_count);
}

TEST_CASE("what ran to its end and was not logged is run again, and logged once", "[kill-resume]") {
  const Directory place;
  // In its last moment the task ends the run, which cannot have logged it then.
  place.write("task",
              "echo $1 >> $2/ran; [ $1 -ne 2 ] || [ -e $2/killed ] || { : > $2/killed; until grep -q ^1 $2/log; do :; "
              "done; kill -KILL $RUN; }");
  const std::string start = "export RUN=$$; exec \"$0\" run -q -j1 --joblog $1/log --resume sh $1/task {} $1 ::: 1 2 3";
  CHECK(sh(start, {place.path()}).status == -1);  // killed
  CHECK(sh(start, {place.path()}).status == 0);
  // The worker may have begun the next task in the moment between the coordinator's end and its own.
  const std::string ran = place.read("ran");
  CHECK((ran == "1\n2\n2\n3\n" || ran == "1\n2\n3\n2\n3\n"));
  const std::map<int, Logged> logged = logged_in(place.read("log"));
  CHECK(logged.size() == 3);
  for (const auto& [sequence, task] : logged) CHECK(task.lines == 1);
}
