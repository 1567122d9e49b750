// Programs as tasks: how they end, what they say, and what they leave behind.
#include "catch.hpp"
#include "output_text.hpp"
#include "outside.hpp"

#include <bulkhead/command.hpp>
#include <bulkhead/signals.hpp>
#include <bulkhead/work.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;

namespace {

struct Captured {
  CommandResult result;
  std::string output, error;
};

Captured capture(Command command, std::stop_token stop = {}) {
  TaskOutput output, error;
  command.output = &output;
  command.error = &error;
  Captured captured;
  captured.result = run_command(command, std::move(stop));
  captured.output = text_of(output, captured.result.output);
  captured.error = text_of(error, captured.result.error);
  return captured;
}
Command shell_command(const std::string& line) { return {.arguments = {"sh", "-c", line}}; }

}  // namespace

TEST_CASE("a program's output and code come back apart", "[command]") {
  const Captured r = capture(shell_command("echo out; echo err >&2; exit 3"));
  CHECK(r.result.exit_code == 3);
  CHECK(r.result.signal == 0);
  CHECK_FALSE(r.result.succeeded());
  CHECK(r.output == "out\n");
  CHECK(r.error == "err\n");
  CHECK(capture(shell_command("true")).result.succeeded());
}

TEST_CASE("a signal is not an exit code", "[command]") {
  const Captured r = capture(shell_command("kill -SEGV $$"));
  CHECK_FALSE(r.result.exit_code.has_value());
  CHECK(r.result.signal == SIGSEGV);
  CHECK(signal_name(r.result.signal) == "SIGSEGV");
}

TEST_CASE("a program that truncates its streams harms nobody's output", "[command]") {
  TaskOutput output, error;
  Command command = shell_command("echo first");
  command.output = &output;
  command.error = &error;
  const CommandResult first = run_command(command);
  command.arguments.back() = "echo second > /dev/stdout; echo e > /dev/stderr";
  const CommandResult second = run_command(command);
  CHECK(text_of(output, first.output) == "first\n");
  CHECK(text_of(output, second.output) == "second\n");
  CHECK(text_of(error, second.error) == "e\n");
  CHECK(second.output.begin == first.output.end);
}

TEST_CASE("much output on both streams is stored whole", "[command]") {
  const Captured r = capture(shell_command("head -c 3000000 /dev/zero & head -c 2000000 /dev/zero >&2; wait"));
  CHECK(r.result.succeeded());
  CHECK(r.output.size() == 3'000'000);
  CHECK(r.error.size() == 2'000'000);
}

TEST_CASE("what cannot be started says why, as a shell would", "[command]") {
  CHECK(capture({.arguments = {"bulkhead-no-such-program"}}).result.exit_code == 127);
  CHECK(capture({.arguments = {"bulkhead-no-such-program"}}).result.start_error == ENOENT);
  CHECK(capture({.arguments = {"/etc/passwd"}}).result.exit_code == 126);
  CHECK(capture({.arguments = {"/"}}).result.start_error == EACCES);
  CHECK(capture({.arguments = {"true", std::string(200'000, 'x')}}).result.start_error == E2BIG);
  CHECK(capture({.arguments = {"echo", std::string("a\0b", 3)}}).result.start_error == EINVAL);
  CHECK(capture({.arguments = {}}).result.start_error == ENOENT);
  CHECK(capture({.arguments = {"true"}, .directory = "/nonexistent"}).result.start_error == ENOENT);
}

TEST_CASE("a program has the environment, directory and input it was given", "[command]") {
  Command command = shell_command("echo $A; pwd; cat; env | grep -c .");
  command.environment = {"A=b c"};
  command.directory = "/";
  CHECK(capture(command).output.starts_with("b c\n/\n"));
  command = {.arguments = {"/usr/bin/env"}, .environment = {"ONLY=this"}, .clear_environment = true};
  CHECK(capture(command).output == "ONLY=this\n");
}

TEST_CASE("a program that outlives its time is ended", "[command]") {
  Command command = shell_command("echo begun; sleep 60");
  command.timeout = 200ms;
  const Captured r = capture(command);
  CHECK(r.result.timed_out);
  CHECK(r.output == "begun\n");
  CHECK(r.result.ran_ns >= 200'000'000);
}

TEST_CASE("a program that ignores TERM is killed after the grace", "[command]") {
  Command command = shell_command("trap '' TERM; while :; do sleep 1; done");
  command.timeout = 100ms;
  command.end_steps = {{SIGTERM, 100ms}, {SIGKILL, 0ms}};
  const Captured r = capture(command);
  CHECK(r.result.timed_out);
  CHECK(r.result.signal == SIGKILL);
}

TEST_CASE("a stopped program is ended as well", "[command]") {
  Command command = shell_command("kill -STOP $$");
  command.timeout = 100ms;
  CHECK(capture(command).result.timed_out);
}

TEST_CASE("a stop request ends the program", "[command]") {
  std::stop_source stop;
  std::jthread requester([&] { stop.request_stop(); });
  const Captured r = capture(shell_command("sleep 60"), stop.get_token());
  CHECK(r.result.cancelled);
  CHECK_FALSE(r.result.timed_out);
  CHECK_FALSE(r.result.succeeded());
}

TEST_CASE("a worker of a worker ends its program on its own TERM, and on nobody else's", "[command]") {
  const auto run = [](int wish, std::stop_token stop) {
    if (wish == 1) ::kill(::getpid(), SIGTERM);
    const CommandResult r = run_command(shell_command(wish == 1 ? "sleep 60" : "exit 3"), std::move(stop));
    return r.cancelled ? -1 : r.exit_code.value_or(-2);
  };
  const auto nested = [&run](int, std::stop_token) {
    std::vector<int> codes;
    for (const auto& outcome : do_process_work(std::vector{0, 1}, run, {.num_workers = 1}))
      codes.push_back(outcome ? *outcome : -3);
    return codes;
  };
  const auto outcomes = do_process_work(std::vector{0}, nested, {.num_workers = 1});
  REQUIRE(outcomes.at(0));
  CHECK(outcomes[0]->at(0) == 3);
  CHECK(outcomes[0]->at(1) == -1);
}

TEST_CASE("a signal that its caller waits for is not taken by a program's start", "[command]") {
  sigset_t ends, before;
  sigemptyset(&ends);
  sigaddset(&ends, SIGCHLD);
  REQUIRE(pthread_sigmask(SIG_BLOCK, &ends, &before) == 0);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);  // SIGCHLD is pending now
  CHECK(run_command(shell_command("true")).succeeded());
  sigset_t pending;
  REQUIRE(sigpending(&pending) == 0);
  CHECK(sigismember(&pending, SIGCHLD) == 1);
  CHECK(::waitpid(child, nullptr, 0) == child);
  const timespec none{};
  while (sigtimedwait(&ends, nullptr, &none) == SIGCHLD) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("what a program leaves in its group is ended with it", "[command]") {
  const Captured r = capture(shell_command("sleep 60 & echo $!"));
  CHECK(r.result.succeeded());
  const int left = std::stoi(r.output);
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  const auto alive = [&] { return capture(shell_command("kill -0 " + std::to_string(left))).result.succeeded(); };
  while (alive() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK_FALSE(alive());
}

TEST_CASE("lines come whole, and the last one without its newline", "[command]") {
  std::string output, error;
  Command command = shell_command("printf 'a\\nb'; printf 'c\\nd'; echo e >&2");
  command.on_lines = [&](int channel, std::span<const std::byte> lines) {
    const std::string text(reinterpret_cast<const char*>(lines.data()), lines.size());
    (channel == 1 ? output : error) += "[" + text + "]";
  };
  const CommandResult result = run_command(command);
  CHECK(result.succeeded());
  CHECK(output.ends_with("[d]"));
  CHECK(output.find("bc\n") != std::string::npos);
  CHECK(error == "[e\n]");
}

TEST_CASE("a script without an interpreter line is given to sh", "[command]") {
  const Captured r = capture(shell_command("f=$(mktemp); echo 'echo from $1' > $f; chmod +x $f; echo $f"));
  const std::string path = r.output.substr(0, r.output.size() - 1);
  CHECK(capture({.arguments = {path, "x"}}).output == "from x\n");
  std::remove(path.c_str());
}

TEST_CASE("programs are found as a shell finds them", "[command]") {
  CHECK(find_program("sh").ends_with("/sh"));
  CHECK(find_program("./x") == "./x");
  CHECK(find_program("bulkhead-no-such-program").empty());
}

TEST_CASE("a program that was found is looked for anew once it is not there any more", "[command]") {
  const outside::Directory folder;
  const std::string first = folder / "first", second = folder / "second";
  const std::string path = "PATH=" + first + ":" + second + ":/bin:/usr/bin";
  capture(shell_command("cd " + folder.path() +
                        " && for d in first second; do mkdir $d; echo \"echo $d\" > $d/word; chmod +x $d/word; done"));
  const auto say = [&](const std::string& environment) {
    return capture({.arguments = {"word"}, .environment = {environment}}).output;
  };
  CHECK(say(path) == "first\n");
  CHECK(say(path) == "first\n");
  CHECK(say("PATH=" + second + ":/bin:/usr/bin") == "second\n");
  CHECK(say(path) == "first\n");
  CHECK(::unlink((first + "/word").c_str()) == 0);
  CHECK(say(path) == "second\n");
  CHECK(::chmod((second + "/word").c_str(), 0600) == 0);
  CHECK(capture({.arguments = {"word"}, .environment = {path}}).result.start_error == ENOENT);
}
