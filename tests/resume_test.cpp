// --resume: what was logged is never run again, what was not is never skipped, wherever the log was cut.
#include "outside.hpp"

#include <bulkhead/command.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;
using namespace outside;

TEST_CASE("a log that was cut at any byte is resumed exactly", "[resume][long]") {
  const Place place;
  REQUIRE(place.run("seq 3 | \"$0\" run -q -j1 --joblog $1/log echo").output == "1\n2\n3\n");
  const std::string whole = place.read("log");
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    const std::string kept = whole.substr(0, cut);
    place.write("log", kept);
    const auto newlines = std::count(kept.begin(), kept.end(), '\n');
    std::string expected;
    for (auto task = std::max<std::ptrdiff_t>(1, newlines); task <= 3; ++task) expected += std::to_string(task) + "\n";
    const Result resumed = place.run("seq 3 | \"$0\" run -q -j1 --joblog $1/log --resume echo");
    INFO("cut at " << cut << ": " << resumed.error);
    REQUIRE(resumed.status == 0);
    REQUIRE(resumed.output == expected);
    const std::string log = place.read("log");
    REQUIRE(std::count(log.begin(), log.end(), '\n') == 4);
  }
}

TEST_CASE("a changed input is refused before anything runs", "[resume]") {
  const Place place;
  REQUIRE(place.run("seq 3 | \"$0\" run -q --joblog $1/log echo").status == 0);
  const Result changed = place.run("printf '1\\n5\\n3\\n4\\n' | \"$0\" run --joblog $1/log --resume echo");
  CHECK(changed.status == 2);
  CHECK(changed.output.empty());
  CHECK(contains(changed.error, "task 2"));
  const Result shorter = place.run("seq 2 | \"$0\" run --joblog $1/log --resume echo");
  CHECK(shorter.status == 2);
  CHECK(contains(shorter.error, "--resume=force"));
  CHECK(place.run("seq 5 9 | \"$0\" run -q -k --joblog $1/log --resume=force echo").output == "8\n9\n");
  CHECK(place.run("seq 3 | \"$0\" run --resume echo").status == 2);
}

TEST_CASE("only what failed is run again, and the last line of a task counts", "[resume]") {
  const Place place;
  REQUIRE(place.run("seq 0 2 | \"$0\" run -q --joblog $1/log -c 'test -e '$1'/ok || exit {}; echo {}'").status == 1);
  place.write("ok", "");
  const std::string again =
      "seq 0 2 | \"$0\" run -q -k --joblog $1/log --resume-failed -c 'test -e '$1'/ok || exit {}; echo {}'";
  CHECK(place.run(again).output == "1\n2\n");
  CHECK(place.run(again).output.empty());
}

TEST_CASE("a run that is killed again and again logs every task once", "[resume]") {
  const Place place;
  const Result done = place.run(
      "n=0; while [ $n -lt 200 ]; do n=$((n+1)); seq 300 | \"$0\" run -q -j2 --joblog $1/log --resume true & p=$!;"
      "if [ $n -lt 8 ]; then sleep 0.1; kill -KILL $p 2>/dev/null; wait $p 2>/dev/null; else wait $p && break; fi; "
      "done;"
      "tail -n +2 $1/log | cut -f1 | sort -n | uniq -c | awk '$1 == 1' | wc -l");
  CHECK(done.output == "300\n");
}

TEST_CASE("records that crash are kept to be fed in again", "[resume]") {
  const Place place;
  place.run("printf 'a\\nb\\nc\\n' | \"$0\" run -q --quarantine $1/bad -c 'test {} = b && kill -SEGV $$; exit 1'");
  CHECK(place.read("bad") == "b\n");
  CHECK(place.run("\"$0\" run -q --quarantine /dev/full -c 'kill -SEGV $$; : {}' ::: a").status == 5);
}

TEST_CASE("a read error while the log is compared is named as such", "[resume]") {
  const Place place;
  REQUIRE(place.run("seq 3 | \"$0\" run -q --joblog $1/log echo").status == 0);
  for (const std::string option : {"--resume", "--resume-failed"}) {
    const Result r = place.run("\"$0\" run --joblog $1/log " + option + " -a /proc/self/mem echo");
    INFO(option << ": " << r.error);
    CHECK(r.status == 2);
    CHECK(contains(r.error, option + ":"));
    CHECK(contains(r.error, "cannot read /proc/self/mem"));
    CHECK_FALSE(contains(r.error, "make only"));
  }
  const Result forced = place.run("\"$0\" run --joblog $1/log --resume=force -a /proc/self/mem echo");
  CHECK(forced.status == 1);
  CHECK(contains(forced.error, "cannot read /proc/self/mem"));
}

TEST_CASE("a refusal names the option that was written", "[resume]") {
  const Place place;
  REQUIRE(place.run("seq 3 | \"$0\" run -q --joblog $1/log echo").status == 0);
  for (const std::string input : {"seq 2", "seq 2 4"}) {
    const Result r = place.run(input + " | \"$0\" run --joblog $1/log --resume-failed echo");
    CHECK(r.status == 2);
    CHECK(contains(r.error, "--resume-failed:"));
    CHECK(contains(r.error, "write --resume=force as well"));
  }
  CHECK(place.run("seq 2 4 | \"$0\" run -q --joblog $1/log --resume-failed --resume=force echo").output.empty());
}

TEST_CASE("a line with a damaged number costs no memory, and is named", "[resume]") {
  const Place place;
  REQUIRE(place.run("seq 3 | \"$0\" run -q -j1 --joblog $1/log echo").status == 0);
  place.write("log", place.read("log") + "987654321\t:\t1\t1\t0\t1\t0\t0\techo 987654321\n");
  const std::string limited = "ulimit -v 4000000; seq 4 | \"$0\" run -q -j1 --joblog $1/log --resume";
  const Result r = place.run(limited + " echo");
  CHECK(r.status == 2);
  CHECK(contains(r.error, "line 5 of"));
  CHECK(contains(r.error, "987654321"));
  CHECK(place.run(limited + "=force echo").output == "4\n");
}

TEST_CASE("the total is known when --resume=force skips all records", "[resume]") {
  const Place place;
  REQUIRE(place.run("seq 9 | \"$0\" run -q --joblog $1/log true").status == 0);
  const Result r = place.run("seq 4 | \"$0\" run --joblog $1/log --resume=force true");
  CHECK(r.status == 0);
  CHECK(contains(r.error, "0 ok, 4 skipped"));
}

TEST_CASE("tasks that were not logged are left over when a resumed run stops early", "[resume]") {
  const Place place;
  REQUIRE(place.run("seq 5 | \"$0\" run -q -j1 --joblog $1/log -c 'exit 1; {}'").status == 1);
  const Result r = place.run("seq 5 | \"$0\" run -j1 --joblog $1/log --resume-failed --fail-fast -c 'exit 1; {}'");
  CHECK(r.status == 3);
  CHECK(contains(r.error, "1 failed, 4 left over"));
}

TEST_CASE("outputs stay in order when a part of the tasks is skipped", "[resume]") {
  const Place place;
  place.write("task", "[ -e $1/ok ] || [ $(($2 % 3)) -ne 0 ] || exit 1; echo $2");
  const std::string script = "seq 20 | \"$0\" run -q -k -j4 --joblog $1/log --resume-failed sh $1/task $1 {}";
  CHECK(place.run(script).status == 1);
  place.write("ok", "");
  CHECK(place.run(script).output == "3\n6\n9\n12\n15\n18\n");
  CHECK(place.run("seq 22 | \"$0\" run -q -k -j4 --joblog $1/log --resume-failed sh $1/task $1 {}").output ==
        "21\n22\n");
}

TEST_CASE("a task that had attempts left when the run was stopped has them when it is resumed", "[resume]") {
  const Place place;
  place.write("task", "[ -e $1/ok ] && echo done || { : > $1/tried; exit 1; }");
  const std::string script =
      "\"$0\" run -q -j1 --joblog $1/log --resume --retries 1 --retry-delay 1h..1h sh $1/task $1 ::: a";
  CHECK(place
            .run("(until [ -e $1/tried ]; do sleep 0.01; done; until grep -q attempt_lost $1/events; do sleep 0.01; "
                 "done; kill -TERM $(cat $1/pid)) & echo $$ > $1/pid; exec \"$0\" run -q -j1 --events $1/events "
                 "--joblog $1/log --resume --retries 1 --retry-delay 1h..1h sh $1/task $1 ::: a")
            .status == 143);
  place.write("ok", "");
  CHECK(place.run(script).output == "done\n");
}
