// The program on a terminal: keys reach it as signals, the bar and the tasks' lines share the screen, colours.
#include "terminal.hpp"
#include "left_behind.hpp"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <regex>
#include <set>

using namespace outside;

namespace {

const std::string interrupt_key = "\x03";

bool bar_was_drawn(const std::string& bytes) { return contains(bytes, "\x1b[J\r"); }

// What the bar was, each time that it was drawn.
std::vector<std::string> bars_in(const std::string& bytes) {
  std::vector<std::string> bars;
  const std::regex drawn("\r([^\r\n\x1b]+)\x1b\\[J\r");
  for (auto at = std::sregex_iterator(bytes.begin(), bytes.end(), drawn); at != std::sregex_iterator(); ++at)
    bars.push_back((*at)[1]);
  return bars;
}

// Tasks that go on when the test says so, each by its record.
class Gates {
 public:
  std::string wait() const { return "until [ -e " + directory_ / "" + "{} ]; do sleep 0.01; done"; }
  void open(int record) const { directory_.write(std::to_string(record), ""); }

 private:
  Directory directory_;
};

}  // namespace

TEST_CASE("Ctrl-C on a terminal ends the tasks with grace", "[terminal]") {
  const NothingLeftBehind check;
  TerminalJob job({"run", "--line-buffer", "-c",
                   "trap 'echo was told; exit 3' TERM; echo up {}; while :; do sleep 0.05; done", ":::", "a"});
  REQUIRE(job.wait_for("up a"));
  job.type(interrupt_key);
  CHECK(job.wait_for_end() == 130);
  CHECK(contains(job.bytes(), "stopping: what runs has"));
  CHECK(contains(job.bytes(), "was told"));
}

TEST_CASE("Ctrl-C a second time kills at once", "[terminal]") {
  const NothingLeftBehind check;
  TerminalJob job({"run", "--line-buffer", "--term-seq", "TERM,1h,KILL", "-c",
                   "trap 'echo was told' TERM; echo up {}; while :; do sleep 0.05; done", ":::", "a"});
  REQUIRE(job.wait_for("up a"));
  job.type(interrupt_key);
  REQUIRE(job.wait_for("was told"));
  job.type(interrupt_key);
  CHECK(job.wait_for_end() == 130);
}

TEST_CASE("a bar is drawn on a terminal, and no line of a task is mixed up with it", "[terminal]") {
  const NothingLeftBehind check;
  const Gates gates;
  TerminalJob job({"run", "-j1", "-c", gates.wait() + "; echo task {} first; sleep 0.03; echo task {} second >&2",
                   ":::", "1", "2", "3", "4", "5", "6", "7", "8"});
  std::set<std::string> expected;
  for (int n = 1; n <= 8; ++n) {
    REQUIRE(job.wait_for("\x1b[J\r"));  // a bar stands there when the task writes
    gates.open(n);
    REQUIRE(job.wait_for(" second"));
    expected.insert({"task " + std::to_string(n) + " first", "task " + std::to_string(n) + " second"});
  }
  CHECK(job.wait_for_end() == 0);
  const std::vector<std::string> lines = job.screen().lines();
  REQUIRE(lines.size() == 17);
  CHECK(contains(lines.back(), "8 ok"));
  CHECK(std::set<std::string>(lines.begin(), lines.end() - 1) == expected);
}

TEST_CASE("a task's line that is not at its end is not written over by the bar", "[terminal]") {
  const NothingLeftBehind check;
  const Gates gates;
  TerminalJob job({"run", "-j1", "-c", "[ {} = 1 ] || " + gates.wait() + "; printf 'part %s ' {}", ":::", "1", "2"});
  REQUIRE(job.wait_for("part 1 "));
  ::poll(nullptr, 0, 500);  // as long as two bars take
  job.signal(SIGUSR1);      // what it says of itself comes behind, and ends that line
  REQUIRE(job.wait_for("#2 in slot 1"));
  REQUIRE(job.wait_for("\x1b[J\r"));
  gates.open(2);
  CHECK(job.wait_for_end() == 0);
  const std::vector<std::string> lines = job.screen().lines();
  CHECK(lines.at(0).starts_with("part 1 bulkhead: "));
  CHECK(lines.at(2).starts_with("part 2 bulkhead: "));
}

TEST_CASE("a terminal that becomes narrower keeps no row of the bar", "[terminal]") {
  const NothingLeftBehind check;
  const Gates gates;
  TerminalJob job({"run", "-j1", "-c", gates.wait() + "; echo task {}", ":::", "1", "2"}, {}, 100);
  REQUIRE(job.wait_for("\x1b[J\r"));
  CHECK(bars_in(job.bytes()).back().size() > 60);  // it will take several rows
  job.resize(20);
  REQUIRE(job.wait_for("\x1b[J\r"));
  gates.open(1);
  REQUIRE(job.wait_for("task 1"));
  REQUIRE(job.wait_for("\x1b[J\r"));
  job.resize(70);
  REQUIRE(job.wait_for("\x1b[J\r"));
  gates.open(2);
  CHECK(job.wait_for_end() == 0);
  const std::vector<std::string> lines = job.screen().lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "task 1");
  CHECK(lines[1] == "task 2");
}

TEST_CASE("a bar is cut to the width of the terminal", "[terminal]") {
  const NothingLeftBehind check;
  const Gates gates;
  TerminalJob job({"run", "-c", gates.wait() + "; : {}", ":::", "1"}, {}, 12);
  REQUIRE(job.wait_for("\x1b[J\r"));
  gates.open(1);
  CHECK(job.wait_for_end() == 0);
  for (const std::string& bar : bars_in(job.bytes())) CHECK(bar.size() < 12);
}

TEST_CASE("no bar where it would not be one", "[terminal]") {
  const NothingLeftBehind check;
  const std::string slow = "sleep 0.6; echo {}";
  const auto drawn = [&](Words options, TerminalJob::Environment environment = {}) {
    options.insert(options.begin(), "run");
    options.insert(options.end(), {"-c", slow, ":::", "1"});
    TerminalJob job(options, std::move(environment));
    CHECK(job.wait_for_end() == 0);
    return bar_was_drawn(job.bytes());
  };
  CHECK(drawn({}));
  CHECK(drawn({"--progress", "bar", "-q"}));
  CHECK(drawn({}, {{"NO_COLOR", "1"}}));
  CHECK_FALSE(drawn({}, {{"TERM", "dumb"}}));
  CHECK_FALSE(drawn({"-q"}));
  CHECK_FALSE(drawn({"-u"}));
  CHECK_FALSE(drawn({"--progress", "none"}));
  CHECK_FALSE(drawn({"--progress", "plain"}));
  const Result piped = run({"-c", slow, ":::", "1"});
  CHECK_FALSE(contains(piped.output + piped.error, "\r"));
  CHECK_FALSE(contains(piped.output + piped.error, "\x1b"));
}

TEST_CASE("colours where they are wanted", "[terminal]") {
  const NothingLeftBehind check;
  const auto colored = [](Words options, TerminalJob::Environment environment = {}) {
    options.insert(options.begin(), "run");
    options.insert(options.end(), {"-c", "exit {}", ":::", "1"});
    TerminalJob job(options, std::move(environment));
    CHECK(job.wait_for_end() == 1);
    return contains(job.bytes(), "\x1b[3");
  };
  CHECK(colored({}));
  CHECK_FALSE(colored({"--color", "never"}));
  CHECK_FALSE(colored({}, {{"NO_COLOR", "1"}}));
  CHECK(colored({}, {{"NO_COLOR", ""}}));
  CHECK_FALSE(colored({}, {{"NO_COLOR", "1"}, {"CLICOLOR_FORCE", "1"}}));
  CHECK(colored({"--color=always"}, {{"NO_COLOR", "1"}}));
  CHECK_FALSE(colored({}, {{"TERM", "dumb"}}));
  CHECK(colored({}, {{"TERM", "dumb"}, {"CLICOLOR_FORCE", "1"}}));

  const auto piped = [](const std::string& before, const std::string& options = "") {
    return contains(
        sh("env -u NO_COLOR -u CLICOLOR_FORCE " + before + " \"$0\" run " + options + " -c 'exit {}' ::: 1").error,
        "\x1b[3");
  };
  CHECK_FALSE(piped(""));
  CHECK(piped("", "--color always"));
  CHECK(piped("CLICOLOR_FORCE=1"));
  CHECK_FALSE(piped("CLICOLOR_FORCE=0"));
  CHECK_FALSE(piped("CLICOLOR_FORCE=1 NO_COLOR=1"));
  CHECK_FALSE(piped("CLICOLOR_FORCE=1", "--color never"));
}
