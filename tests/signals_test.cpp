// Signals and streams that whoever starts the program may have prepared for it.
#include "left_behind.hpp"
#include "outside.hpp"

#include <algorithm>

using namespace outside;

// $1: a directory of the test's own. Tasks say that they are up, and wait to be let go on.
namespace {

const std::string waiting_task = "'echo up > '$1'/up-{}; until [ -e '$1'/go ]; do sleep 0.02; done; echo done {}'";

Result with_directory(const std::string& script) {
  const Directory directory;
  return sh("until_there() { until [ -s $1 ]; do sleep 0.02; done; }; " + script, {directory.path()});
}

}  // namespace

TEST_CASE("HUP: what runs comes to its end, and nothing else is started", "[tool]") {
  const Result r = with_directory("\"$0\" run -j1 -c " + waiting_task +
                                  " ::: a b c 2> $1/err & t=$!; until_there $1/up-a; kill -HUP $t; "
                                  "kill -HUP $t; touch $1/go; wait $t; echo $?; ls $1; cat $1/err >&2");
  CHECK(contains(r.output, "done a\n1\n"));
  CHECK_FALSE(contains(r.output, "up-b"));
  CHECK(contains(r.error, "1 ok"));
  CHECK(contains(r.error, "2 left over"));
}

TEST_CASE("INT behind HUP ends what runs as well", "[tool]") {
  const Result r = with_directory("\"$0\" run -j1 -c " + waiting_task +
                                  " ::: a b c 2> $1/err & t=$!; until_there $1/up-a; kill -HUP $t; "
                                  "kill -TERM $t; wait $t; echo $?; ls $1; cat $1/err >&2");
  CHECK(r.output.starts_with("143\n"));
  CHECK_FALSE(contains(r.output, "up-b"));
  CHECK(contains(r.error, "3 left over"));
}

TEST_CASE("an INT that was ignored stays ignored", "[tool]") {
  const Result r = with_directory("trap '' INT; \"$0\" run -q -j1 -c " + waiting_task +
                                  " ::: a b & t=$!; until_there $1/up-a; kill -INT $t; kill -INT $t; "
                                  "touch $1/go; wait $t; echo $?");
  CHECK(r.output == "done a\ndone b\n0\n");
}

TEST_CASE("a HUP that was ignored, as by nohup, stays ignored", "[tool]") {
  const Result r = with_directory("trap '' HUP; \"$0\" run -q -j1 -c " + waiting_task +
                                  " ::: a b & t=$!; until_there $1/up-a; kill -HUP $t; touch $1/go; wait $t; echo $?");
  CHECK(r.output == "done a\ndone b\n0\n");
}

TEST_CASE("a reader that has gone ends every kind of output with 141", "[tool]") {
  for (const std::string options : {"", "--line-buffer", "--tag", "-k"}) {
    CAPTURE(options);
    const Result r = sh("{ \"$0\" run -q -j1 " + options + " -c 'echo {}' ::: $(seq 2000); echo $? >&2; } | head -n 1");
    CHECK(r.error == "141\n");
  }
  const Result dry = sh("{ seq 100000 | \"$0\" run --dry-run echo; echo $? >&2; } | head -n 1");
  CHECK(dry.error == "141\n");
  const Result call =
      sh("{ \"$0\" call -q \"$1\" ::: $(seq 20000); echo $? >&2; } | head -n 1", {BULKHEAD_SQUARE_PLUGIN});
  CHECK(call.error == "141\n");
}

TEST_CASE("streams that are closed at the start are /dev/null, and no file takes their place", "[tool]") {
  for (const std::string closed : {">&-", "<&-", "2>&-", "<&- >&- 2>&-"}) {
    CAPTURE(closed);
    const Result r = with_directory(
        "\"$0\" run --joblog $1/log --events $1/events -c 'echo to stdout; echo to stderr >&2; : {}' "
        "::: a b " +
        closed +
        "; echo $?; grep -c 'to std' $1/log; wc -l < $1/log; "
        "grep -vc '^{' $1/events");
    const std::string& output = r.output;
    CHECK(output.ends_with("0\n2\n3\n0\n"));  // the commands are in the log, what they print is not
    CHECK(contains(output, "to stdout") == (closed == "<&-" || closed == "2>&-"));
  }
  CHECK(sh("\"$0\" run -q echo <&-; echo $?").output == "0\n");
}
