// Programs that are started once and asked many times: from the library, and through the built program.
#include "outside.hpp"

#include <bulkhead/coprocess.hpp>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;
using namespace outside;

namespace {

Command shell(const std::string& script) {
  return {.arguments = {"sh", "-c", script}, .end_steps = {{SIGTERM, 200ms}, {SIGKILL, 0ms}}};
}

// Answers each line with how many it has seen; some words are its undoing.
const std::string counting =
    "while read -r x; do n=$((n+1)); case $x in exit) exit 3;; crash) kill -SEGV $$;; hang) sleep 60;; "
    "twice) printf '1\\n2\\n'; continue;; close) exec >&-; sleep 60;; esac; echo $n; done";

}  // namespace

TEST_CASE("a co-process is started once and keeps what it knows", "[coprocess]") {
  Coprocess counter(shell(counting));
  CHECK(counter.ask("a").text == "1");
  CHECK(counter.ask("b").text == "2");
  CHECK(counter.ask("two\nlines").ending == AnswerEnding::not_a_line);
  CHECK(counter.ask("c").text == "3");
  counter.finish();
  CHECK(counter.ask("d").text == "1");
}

TEST_CASE("a co-process' end is one answer's, and a fresh one takes its place", "[coprocess]") {
  Command command = shell(counting);
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
  Coprocess leaving(shell("read -r x; echo $x"));
  for (int i = 0; i < 50; ++i) CHECK(leaving.ask(std::to_string(i)).text == std::to_string(i));
  CHECK(Coprocess(shell("exit 4")).ask("a").exit_code == 4);
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

TEST_CASE("coprocess: a model loaded once, records that kill it, all others answered", "[coprocess]") {
  const Result r =
      sh("seq 100000 | \"$0\" coprocess -j2 -k python3 " BULKHEAD_SOURCE_DIR "/tools/examples/scorer.py | wc -l");
  CHECK(std::stoi(r.output) == 99999);
  CHECK(contains(r.error, "99999 ok, 1 crashed"));
  CHECK(contains(r.error, "beyond the model: 31313"));
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
