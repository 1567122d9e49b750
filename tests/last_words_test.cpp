// What the closing words say of tasks that failed: the end of what they wrote, leaks, and why nothing was run.
#include "outside.hpp"

#include "output/last_words.hpp"

#include <string>

using namespace bulkhead::tool;
using namespace outside;

TEST_CASE("the last lines are five at most, and not too long", "[last-words]") {
  CHECK(last_lines("").empty());
  CHECK(last_lines("a") == "a");
  CHECK(last_lines("\n") == "\n");
  CHECK(last_lines("1\n2\n3\n4\n5\n6\n7\n") == "3\n4\n5\n6\n7\n");
  CHECK(last_lines("1\n2\n3\n4\n5\n6\n7") == "3\n4\n5\n6\n7");
  CHECK(last_lines(std::string(5000, 'x')).size() == most_last_bytes);
  LastWords words;
  for (int i = 0; i < 10'000; ++i) words.note(1, "line " + std::to_string(i) + "\n");
  words.note(2, "other\n");
  CHECK(words.take(1) == "line 9995\nline 9996\nline 9997\nline 9998\nline 9999\n");
  CHECK(words.take(1).empty());
  CHECK(words.take(2) == "other\n");
}

TEST_CASE("the end of what a task wrote to standard error is told with its failure", "[last-words]") {
  for (const std::string mode : {"-k", "--line-buffer"}) {
    const Result r =
        run({mode, "-j1", "-c", "for i in 1 2 3 4 5 6 7; do echo w{}$i >&2; done; exit {}", ":::", "0", "3"});
    INFO(mode << ": " << r.error);
    CHECK(contains(r.error, "  EXIT 3  #2 3\n      w33\n      w34\n      w35\n      w36\n      w37\n"));
  }
  const Directory directory;
  CHECK(run({"-q", "--line-buffer", "--events", directory / "events", "-c", "echo why >&2; exit {}", ":::", "3"})
            .status == 1);
  CHECK(contains(directory.read("events"), "\"error_tail\":\"why\\n\""));
  const Result ungrouped = run({"-u", "-c", "echo why >&2; exit {}", ":::", "3"});
  CHECK(contains(ungrouped.error, "--ungroup"));
  CHECK(contains(ungrouped.error, "--line-buffer"));
  CHECK_FALSE(contains(run({"-u", "true", ":::", "3"}).error, "--ungroup"));
}

TEST_CASE("only what lives when its task has ended is a leak", "[last-words]") {
  const Result zombie = run({"-c", "true & : {}; exec sleep 0.3", ":::", "x"});  // sleep waits for nobody
  CHECK_FALSE(contains(zombie.error, "LEAK"));
  // an orphan whose end its parent could not wait for
  const Result orphan = run({"-c", "sh -c 'sleep 0.01 & exec true' ; sleep 0.3; : {}", ":::", "x"});
  CHECK_FALSE(contains(orphan.error, "LEAK"));
  CHECK(contains(run({"-c", "sleep 60 & : {}", ":::", "x"}).error, "LEAK"));
  CHECK(contains(run({"-c", "setsid sleep 60 & sleep 0.1; : {}", ":::", "x"}).error, "LEAK"));
}

TEST_CASE("a run that is given up says why", "[last-words]") {
  const Result r = invoke({"call", "--nofile", "2", BULKHEAD_SQUARE_PLUGIN, ":::", "1", "2"});
  INFO(r.error);
  CHECK(r.status == 1);
  CHECK(contains(r.error, "2 left over"));
  CHECK(contains(r.error, "given up after"));
  CHECK(contains(r.error, "--nofile 2"));
  CHECK(r.error.find("given up") == r.error.rfind("given up"));
}
