// Programs that are started once and asked many times: from the library, and through the built program.
#include "outside.hpp"

#include <bulkhead/coprocess.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;
using namespace outside;

namespace {

// Echoes each record, and says more when the next one has begun to come, before it reads it: the first answer was
// looked at then.
Command late_after(const std::string& which) {
  return {.arguments = {"python3", "-c",
                        "import select, sys\n"
                        "for line in iter(sys.stdin.readline, ''):\n"
                        "    print(line, end='', flush=True)\n"
                        "    select.select([0], [], [])\n"
                        "    if " +
                            which + ": print('late', flush=True)\n"}};
}

Command shell_coprocess(const std::string& script) {
  return {.arguments = {"sh", "-c", script}, .end_steps = {{SIGTERM, 200ms}, {SIGKILL, 0ms}}};
}

// Answers each line with how many it has seen; some words are its undoing.
const std::string counting =
    "while read -r x; do n=$((n+1)); case $x in exit) exit 3;; crash) kill -SEGV $$;; hang) sleep 60;; "
    "twice) printf '1\\n2\\n'; continue;; close) exec >&-; sleep 60;; esac; echo $n; done";

}  // namespace

TEST_CASE("a co-process is started once and keeps what it knows", "[coprocess]") {
  Coprocess counter(shell_coprocess(counting));
  CHECK(counter.ask("a").text == "1");
  CHECK(counter.ask("b").text == "2");
  CHECK(counter.ask("two\nlines").ending == AnswerEnding::not_a_line);
  CHECK(counter.ask("c").text == "3");
  counter.finish();
  CHECK(counter.ask("d").text == "1");
}

TEST_CASE("a co-process' end is one answer's, and a fresh one takes its place", "[coprocess]") {
  Command command = shell_coprocess(counting);
  command.timeout = 1s;
  Coprocess counter(command);
  CHECK(counter.ask("exit").exit_code == 3);
  CHECK(counter.ask("a").text == "1");
  CHECK(counter.ask("crash").signal == SIGSEGV);
  CHECK(counter.ask("hang").ending == AnswerEnding::timed_out);
  CHECK(counter.ask("twice").ending == AnswerEnding::unasked);
  CHECK(counter.ask("close").ending == AnswerEnding::no_answer);
  CHECK(counter.ask("a").text == "1");
  CHECK(Coprocess({.arguments = {"bulkhead-no-such-program"}}).ask("a").ending == AnswerEnding::not_started);
}

TEST_CASE("one that leaves after each answer is nobody's failure", "[coprocess]") {
  Coprocess leaving(shell_coprocess("read -r x; echo $x"));
  for (int i = 0; i < 50; ++i) CHECK(leaving.ask(std::to_string(i)).text == std::to_string(i));
  CHECK(Coprocess(shell_coprocess("exit 4")).ask("a").exit_code == 4);
}

TEST_CASE("a record of megabytes, answered while it is written", "[coprocess]") {
  const std::string record(5 << 20, 'x');
  CHECK(Coprocess({.arguments = {"cat"}}).ask(record).text == record);
}

TEST_CASE("coprocess: a line in, a line out", "[coprocess]") {
  const Result r = sh("seq 1000 | \"$0\" coprocess -j3 -k -q cat | cksum; seq 1000 | cksum");
  CHECK(r.output.substr(0, r.output.size() / 2) == r.output.substr(r.output.size() / 2));
  CHECK(sh("\"$0\" coprocess -j1 -q --recycle 2 sh -c '" + counting + "' ::: a b c").output == "1\n2\n1\n");
  CHECK(sh("\"$0\" coprocess -j1 -q --tag sh -c 'while read x; do echo $BULKHEAD_SLOT; done' ::: a b").output ==
        "a\t1\nb\t1\n");
  CHECK(sh("\"$0\" coprocess -q ::: a").status == 2);
}

TEST_CASE("coprocess: endings in words, with what was said", "[coprocess]") {
  const Result r =
      sh("\"$0\" coprocess -j1 --timeout 1s sh -c 'while read -r x; do echo \"on $x\" >&2; eval \"$x\"; done' "
         "::: 'exit 3' 'kill -SEGV $$' 'sleep 60' 'printf \"1\\n2\\n\"' 'exec >&-; sleep 60' 'echo good'");
  CHECK(r.status == 1);
  CHECK(r.output == "good\n");
  for (const char* words : {"EXIT 3", "CRASH SIGSEGV", "TIMEOUT 1s", "ANSWERED TWICE", "NO ANSWER", "      on exit 3",
                            "1 ok", "on echo good\n"})
    CHECK(contains(r.error, words));
}

TEST_CASE("coprocess: a run whose co-processes only die is given up", "[coprocess]") {
  const Result r = sh("seq 100 | \"$0\" coprocess -j1 --crash-limit 3 sh -c 'exit 9'");
  CHECK(r.status == 3);
  CHECK(contains(r.error, "--crash-limit"));
  CHECK(contains(r.error, "3 failed"));
}

TEST_CASE("coprocess: a model loaded once, records that end it in every way, all others answered",
          "[coprocess][long]") {
  constexpr std::uint64_t records = 100'000;
  const auto ends_in = [](std::uint64_t record, std::uint64_t digits) {
    return record % (digits > 9999 ? 100'000 : 10'000) == digits;
  };
  const Directory place;
  const Result r = sh("seq " + std::to_string(records) +
                          " | \"$0\" coprocess -j2 -k --timeout 15s --joblog \"$1\" python3 " BULKHEAD_SOURCE_DIR
                          "/tools/examples/scorer.py",
                      {place / "log"});
  std::string answers;
  for (std::uint64_t i = 1; i <= records; ++i)
    if (!ends_in(i, 1313) && !ends_in(i, 7474) && !ends_in(i, 4242) && !ends_in(i, 54545))
      answers += std::to_string(i) + " " + std::to_string(i % 100'000 * 2654435761 % 1000) + "\n";
  CHECK((r.output == answers));  // in parentheses: a megabyte need not be shown
  CHECK(contains(r.error, "99969 ok, 20 failed, 10 crashed, 1 timed out"));
  for (const char* words : {"CRASH SIGSEGV  #31313 31313", "EXIT 3  #97474 97474", "ANSWERED TWICE  #4242 4242",
                            "TIMEOUT 15s  #54545 54545", "scorer: beyond the model: 61313"})
    CHECK(contains(r.error, words));

  std::istringstream log(place.read("log"));
  std::string line, before;
  std::getline(log, line);  // the columns' names
  std::uint64_t lines = 0;
  for (; std::getline(log, line); ++lines, before = line) {
    std::istringstream fields(line);
    std::uint64_t sequence = 0;
    int code = -2, signal = -2;
    std::string host, skipped;
    fields >> sequence >> host >> skipped >> skipped >> skipped >> skipped >> code >> signal;
    INFO(line << "\nafter\n" << before);
    if (ends_in(sequence, 1313))
      CHECK((code == -1 && signal == SIGSEGV));
    else if (ends_in(sequence, 7474))
      CHECK((code == 3 && signal == 0));
    else if (ends_in(sequence, 4242) || ends_in(sequence, 54545))
      CHECK((code == -1 && signal == 0));
    else if (code != 0 || signal != 0)
      FAIL_CHECK("no record to fail");
  }
  CHECK(lines == records);
}

TEST_CASE("a second answer that comes late is never the next record's", "[coprocess]") {
  Coprocess twice(late_after("True"));
  for (int i = 0; i < 20; ++i) {
    const Answer answer = twice.ask(std::to_string(i));
    CHECK(answer.ending == AnswerEnding::answered);
    CHECK(answer.text == std::to_string(i));
  }
  // One that writes as it reads has begun its answer when it has taken a part of the record.
  Coprocess echo(Command{.arguments = {"cat"}});
  for (const std::string& record : {std::string("a"), std::string(), std::string(4095, 'b'), std::string(4096, 'c'),
                                    std::string(4097, 'd'), std::string(300'000, 'e'), std::string("f")})
    CHECK((echo.ask(record).text == record));
}

TEST_CASE("a second answer that comes late costs nobody, however the reader reads", "[coprocess]") {
  Coprocess sometimes(late_after("line.startswith('odd')"));
  for (const char* record : {"a", "odd 1", "b", "odd 2", "odd 3", "", "c", "d"}) {
    const Answer answer = sometimes.ask(record);
    if (*record == '\0') continue;  // before an empty one it cannot be told
    CHECK(answer.ending == AnswerEnding::answered);
    CHECK(answer.text == record);
  }
}

TEST_CASE("a co-process' limits, each in its own words", "[coprocess]") {
  const auto ask = [](Command command, const std::string& record) {
    Coprocess program(std::move(command));
    CHECK(program.ask("true").ending == AnswerEnding::answered);
    const Answer answer = program.ask(record);
    CHECK(program.ask("true").ending == AnswerEnding::answered);  // a fresh one
    return answer;
  };
  const std::string obey = "while read -r x; do eval \"$x\"; echo done; done";
  Command memory = shell_coprocess(obey);
  memory.limits.memory = 64 << 20;
  const Answer greedy = ask(memory, "python3 -c \"x = b'x' * (1 << 28); import time; time.sleep(60)\"");
  CHECK(greedy.ending == AnswerEnding::limit_exceeded);
  CHECK(greedy.limit.kind == LimitKind::memory);
  CHECK(greedy.limit.used > greedy.limit.allowed);

  Command time = shell_coprocess(obey);
  time.limits.cpu_time = 300ms;
  const Answer busy = ask(time, "while :; do :; done");
  CHECK(busy.limit.kind == LimitKind::cpu_time);
  CHECK(busy.limit.used >= busy.limit.allowed);

  Command files = shell_coprocess(obey);
  const Directory place;
  files.directory = place.path();
  files.limits.file_size = 4096;
  const Answer writer = ask(files, "exec head -c 100000 /dev/zero > large");
  CHECK(writer.limit.kind == LimitKind::file_size);

  Command output = shell_coprocess(obey);
  output.limits.output = 1000;
  TaskOutput error;
  output.error = &error;
  const Answer answer = ask(output, "head -c 5000 /dev/zero | tr '\\\\0' x");
  CHECK(answer.ending == AnswerEnding::limit_exceeded);
  CHECK(answer.limit.kind == LimitKind::output);
  CHECK(ask(output, "head -c 5000 /dev/zero >&2").limit.kind == LimitKind::output);
  const Answer flood = ask(output, "cat /dev/zero >&2");
  CHECK(flood.limit.kind == LimitKind::output);
  CHECK(flood.error.size() < 10 << 20);
}

TEST_CASE("limits of a record are counted anew for each", "[coprocess]") {
  Command command =
      shell_coprocess("while read -r x; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo $x; done");
  command.limits.cpu_time = 5s;  // all of them together take longer where one takes a twentieth of it
  command.limits.output = 10;
  Coprocess busy(command);
  for (int i = 0; i < 40; ++i) CHECK(busy.ask("123456").ending == AnswerEnding::answered);
}

TEST_CASE("coprocess: where and how it runs", "[coprocess]") {
  const Directory place;
  const Result r =
      sh("\"$0\" coprocess -q -j1 --cwd \"$1\" --env A=1 --clear-env --nice 3 --nofile 17 --joblog \"$1/log\" -- "
         "/bin/sh -c 'while read x; do echo $PWD $A ${HOME-none} $(/usr/bin/nice) $(ulimit -n) $BULKHEAD_SLOT; "
         "done' ::: a",
         {place.path()});
  CHECK(r.status == 0);
  CHECK(contains(r.output, place.path() + " 1 none "));
  CHECK(contains(r.output, " 17 1\n"));
  const std::string here = sh("nice").output;
  CHECK(contains(r.output, " none " + std::to_string(std::min(19, std::stoi(here) + 3)) + " "));
  CHECK(contains(place.read("log"),
                 "bulkhead coprocess --cwd " + place.path() + " --clear-env --env A=1 -- /bin/sh -c "));
  const Result nowhere = sh("\"$0\" coprocess -j1 --cwd /nonexistent cat ::: a");
  CHECK(nowhere.status == 1);
  CHECK(contains(nowhere.error, "CANNOT RUN: No such file or directory"));
}

TEST_CASE("coprocess: limits in words", "[coprocess]") {
  const Directory place;
  const auto ask = [&](const std::string& options, const std::string& record) {
    return sh("cd \"$1\" && \"$0\" coprocess -j1 -k " + options +
                  " sh -c 'while read -r x; do eval \"$x\"; echo done; done' ::: true \"$2\" true",
              {place.path(), record});
  };
  for (const auto& [options, record, words] :
       {std::tuple("--mem-max 64M", "python3 -c 'x = b\"x\" * (1 << 28); import time; time.sleep(60)'", "OOM "),
        {"--cpu-time 300ms", "while :; do :; done", "s of 300ms"},
        {"--fsize 4K", "exec head -c 100000 /dev/zero > large", "FSIZE over 4"},
        {"--nofile 8", "exec python3 -c 'import os; [os.dup(0) for _ in range(9)]'", "NOFILE over 8"},
        {"--output-max 1K", "head -c 5000 /dev/zero | tr '\\\\0' x", "OUTPUT over 1"}}) {
    INFO(options);
    const Result r = ask(options, record);
    CHECK(r.status == 1);
    CHECK(r.output == "done\ndone\n");
    CHECK(contains(r.error, words));
    CHECK(contains(r.error, "2 ok, 1 "));
  }
  const Result lines =
      sh("\"$0\" coprocess -j1 --line-buffer --output-max 1K sh -c 'while read -r x; do eval \"$x\"; echo done; done' "
         "::: true 'seq 1000 >&2' true");
  CHECK(lines.output == "done\ndone\n");
  CHECK(contains(lines.error, "OUTPUT over 1"));
  CHECK(sh("\"$0\" coprocess -u --output-max 1K cat ::: a").status == 2);
}

TEST_CASE("a program out of one function has the command line of call", "[coprocess]") {
  const std::string program = BULKHEAD_EXAMPLES "/checksum_batch";
  const Result r = execute({.arguments = {program, "-k", ":::", "/dev/null", "/nonexistent"}});
  CHECK(r.status == 1);
  CHECK(r.output == "14695981039346656037  /dev/null\n");
  CHECK(contains(r.error, "EXCEPTION cannot open /nonexistent"));
  CHECK(execute({.arguments = {program, "word"}}).status == 2);
  CHECK(contains(execute({.arguments = {program, "--help"}}).output, "--crash-limit"));
}
