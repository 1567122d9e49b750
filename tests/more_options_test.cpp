// Options of the tool, each seen from outside by what it changes: every case fails when its option has no effect.
#include "outside.hpp"

#include <bulkhead/command.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;
using namespace outside;

TEST_CASE("option --colsep parts a record into fields", "[tool]") {
  CHECK(sh("printf 'a,b\\nc\\td\\n' | \"$0\" run -kq --colsep ',|\\t' echo {2}-{1}").output == "b-a\nd-c\n");
  CHECK(sh("echo 'a  b' | \"$0\" run -q --colsep '\\s+' printf '%s.' ").output == "a.b.");
  CHECK(sh("echo a.b | \"$0\" run -q --colsep '\\.' echo {2}").output == "b\n");
  CHECK(sh("echo a.b | \"$0\" run -q --colsep '\\x2e' echo {2}").output == "b\n");
  CHECK(sh("echo a1b | \"$0\" run -q --colsep '[\\d;]' echo {2}").output == "b\n");
  CHECK(sh("echo a | \"$0\" run --colsep '(' echo").status == 2);
  CHECK(sh("echo a | \"$0\" run --colsep 'x*' echo").status == 2);
  CHECK(sh("head -c 3000000 /dev/zero | tr '\\0' ' ' | \"$0\" run -q --colsep ' +' true").status == 0);
}

TEST_CASE("option --header names columns", "[tool]") {
  CHECK(sh("printf 'name,age\\nbob,3\\nann,4\\n' | \"$0\" run -kq --header --colsep , echo {age}/{name}").output ==
        "3/bob\n4/ann\n");
  CHECK(sh("\"$0\" run -kq --header echo {x}{y} ::: x 1 2 ::: y 7 8").output == "17\n18\n27\n28\n");
  CHECK(sh("printf 'x\\n' | \"$0\" run --header echo {x}").output.empty());
}

TEST_CASE("option -X fills command lines to the limit and not beyond", "[tool]") {
  CHECK(sh("seq 100000 | \"$0\" run -X -q echo | wc").output.find(" 100000 ") != std::string::npos);
  const Result many = sh("seq 300000 | \"$0\" run -kq -X echo");
  CHECK(many.status == 0);
  const auto lines = std::count(many.output.begin(), many.output.end(), '\n');
  CHECK(lines >= 2);
  CHECK(lines <= 4);
  CHECK(sh("seq 3 | \"$0\" run -q -X echo a{}b").output == "a1b a2b a3b\n");
  CHECK(sh("seq 5 | \"$0\" run -kq -X -n 2 echo").output == "1 2\n3 4\n5\n");
  CHECK(sh("seq 60000 | \"$0\" run -q -c -X 'echo {} | wc -w' | awk '{ n += $1 } END { print n }'").output ==
        "60000\n");
}

TEST_CASE("option --input jsonl: a record says all about its task", "[tool]") {
  const Result r =
      sh(R"(printf '%s\n' '{"argv":["echo","a b"]}' '{"argv":["sh","-c","echo $X"],"env":{"X":"y"}}' )"
         R"('{"argv":["cat"],"stdin":"in"}' nonsense '{"argv":[]}' '{"a":1}' | "$0" run -k --input jsonl)");
  CHECK(r.output == "a b\ny\nin");
  CHECK(r.status == 1);
  CHECK(contains(r.error, "3 ok, 3 failed"));
  CHECK(sh("\"$0\" run --input xml ::: a").status == 2);
}

TEST_CASE("option --tag-format is a template", "[tool]") {
  CHECK(sh("\"$0\" run -kq --tag-format '[{#} {/.}] ' echo ::: a/b.c d").output == "[1 b] a/b.c\n[2 d] d\n");
}

TEST_CASE("option --retry-on says which ends are tried again", "[tool]") {
  CHECK_FALSE(contains(sh("\"$0\" run --retries 2 --retry-on crash -c 'exit {}' ::: 3").error, "retried"));
  CHECK(contains(sh("\"$0\" run --retries 2 --retry-on exit=3 -c 'exit {}' ::: 3").error, "2 attempts retried"));
  CHECK_FALSE(contains(sh("\"$0\" run --retries 2 --retry-on exit=4 -c 'exit {}' ::: 3").error, "retried"));
  CHECK(contains(sh("\"$0\" run --retries 1 --retry-on crash -c 'kill -SEGV $$; : {}' ::: 3").error,
                 "1 attempt retried"));
  CHECK(sh("\"$0\" run --retry-on crash true ::: 3").status == 2);
  CHECK(sh("\"$0\" run --retries 1 --retry-on never true ::: 3").status == 2);
}

TEST_CASE("options --load and --mem-free hold tasks back", "[tool]") {
  const Result memory = sh("\"$0\" run --mem-free 9000T --deadline 300ms echo ::: 1");
  CHECK(memory.status == 124);
  CHECK(memory.output.empty());
  CHECK(contains(memory.error, "--mem-free"));
  CHECK(sh("\"$0\" run -q --mem-free 1M --load 100000 echo ::: 1").output == "1\n");
  CHECK(sh("\"$0\" run --load 0 echo ::: 1").status == 2);
}

TEST_CASE("option --timeout P% follows the median of what succeeded", "[tool]") {
  const Result r =
      sh("{ for i in 1 2 3 4 5; do echo 'sleep 0.1'; done; "
         "echo 'sleep 50'; } | \"$0\" run -j2 --timeout 500%");
  CHECK(r.status == 1);
  CHECK(contains(r.error, "5 ok, 1 timed out"));
}

TEST_CASE("a task of a job log is replayed in the foreground", "[tool]") {
  const Result r =
      sh("d=$(mktemp -d); \"$0\" run -q --joblog $d/l -c 'echo {} $BULKHEAD_SEQ; exit 4' ::: a 'b c' > /dev/null;"
         "\"$0\" replay $d/l 2; s=$?; \"$0\" replay $d/l 9 2>/dev/null; echo $s $?; rm -r $d");
  CHECK(r.output == "b c 2\n4 2\n");
}

TEST_CASE("help on one screen, a manual page, completions and a diagnosis", "[tool]") {
  const Result brief = sh("\"$0\" run -h");
  CHECK(std::count(brief.output.begin(), brief.output.end(), '\n') <= 24);
  CHECK(brief.output.find("Examples:") < brief.output.find("--jobs"));
  const std::string all = sh("\"$0\" run --help").output, page = sh("\"$0\" man").output,
                    bash = sh("\"$0\" completions bash").output;
  for (const char* option : {"colsep", "resume", "joblog", "mem-max", "events", "header", "input", "isolate"}) {
    INFO(option);
    CHECK(contains(all, std::string("--") + option));
    CHECK(contains(bash, std::string("--") + option));
    std::string in_page = std::string("\\-\\-") + option;
    for (std::size_t at = in_page.find('-', 4); at != in_page.npos; at = in_page.find('-', at + 2))
      in_page.insert(at, "\\");
    CHECK(contains(page, in_page));
  }
  CHECK(sh("\"$0\" completions bash | bash -n").status == 0);
  CHECK(contains(sh("\"$0\" completions zsh").output, "#compdef bulkhead"));
  CHECK(contains(sh("\"$0\" completions fish").output, "-l joblog"));
  CHECK(sh("\"$0\" completions tcsh").status == 2);
  CHECK(contains(sh("\"$0\" doctor").output, "pid namespace"));
}

TEST_CASE("USR1 lists what runs", "[tool]") {
  const Result r = sh(
      "d=$(mktemp -d); mkfifo $d/a $d/b; \"$0\" run -c 'echo > '$d'/a; read x < '$d'/b; : {}' ::: here 2> $d/e & p=$!;"
      "read x < $d/a; until grep -q '#1 in slot 1' $d/e; do kill -USR1 $p; sleep 0.02; done; echo > $d/b; wait $p; "
      "echo $?; rm "
      "-r $d");
  CHECK(r.output == "0\n");
}

TEST_CASE("options --arg-file, --delimiter, --null and --no-run-if-empty say what the records are", "[tool]") {
  const Directory place;
  place.write("file", "a\nb\n");
  CHECK(sh("\"$0\" run -kq --arg-file \"$1/file\" echo < /dev/null", {place.path()}).output == "a\nb\n");
  CHECK(sh("printf 'a;b' | \"$0\" run -kq --delimiter ';' echo").output == "a\nb\n");
  CHECK(sh("printf 'a b\\0c' | \"$0\" run -kq --null echo").output == "a b\nc\n");
  CHECK(sh("printf 'a\\n\\nb\\n' | \"$0\" run -kq --no-run-if-empty echo").output == "a\nb\n");
}

TEST_CASE("option --shuf gives every record once, in an order that its seed repeats", "[tool]") {
  const std::string given = sh("seq 50").output;
  const std::string first = sh("seq 50 | \"$0\" run -q -j1 --shuf=1 echo").output;
  CHECK(first != given);
  CHECK(first == sh("seq 50 | \"$0\" run -q -j1 --shuf=1 echo").output);
  CHECK(first != sh("seq 50 | \"$0\" run -q -j1 --shuf=2 echo").output);
  CHECK(sh("seq 50 | \"$0\" run -q -j1 --shuf=1 echo | sort -n").output == given);
}

TEST_CASE("options of a program's surroundings: --cwd, --env, --clear-env, --nice", "[tool]") {
  CHECK(sh("\"$0\" run -q --cwd / -c 'pwd; : {}' ::: x").output == "/\n");
  CHECK(sh("\"$0\" run -q --env A=1 -c 'echo $A; : {}' ::: x").output == "1\n");
  CHECK(sh("export A=1; \"$0\" run -q --clear-env -c 'echo [$A]; : {}' ::: x").output == "[]\n");
  CHECK(sh("[ $(nice) -le 15 ] || exit 1; n=$(\"$0\" run -q --nice 3 -c 'nice; : {}' ::: x); echo $((n - $(nice)))")
            .output == "3\n");
}

TEST_CASE("options --max-args, --shell and --verbose", "[tool]") {
  CHECK(sh("seq 3 | \"$0\" run -kq --max-args 2 echo").output == "1 2\n3\n");
  CHECK(sh("\"$0\" run -q --shell 'echo {} | tr a b' ::: a").output == "b\n");
  CHECK(contains(sh("\"$0\" run --verbose true ::: 'a b'").error, "true 'a b'\n"));
}
