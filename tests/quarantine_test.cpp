// --quarantine: the records that crashed for good, in a form that the same options read again.
#include "outside.hpp"

#include <string>

using namespace outside;

TEST_CASE("records of --input jsonl go into quarantine as the lines that they were", "[quarantine]") {
  const Place place;
  const std::string bad = R"({"argv":["sh","-c","echo $X; cat; kill -SEGV $$"],"env":{"X":"a b"},"stdin":"in"})";
  place.write("in", "{\"argv\":[\"true\"]}\n" + bad + "\n");
  const std::string again = "\"$0\" run -q --input jsonl --quarantine ";
  place.run(again + "$1/bad < $1/in");
  CHECK(place.read("bad") == bad + "\n");
  CHECK(place.run(again + "$1/worse < $1/bad").output == "a b\nin");
  CHECK(place.read("worse") == bad + "\n");
}

TEST_CASE("columns go into quarantine as the text they were split from, below their header", "[quarantine]") {
  const Place place;
  place.write("in", "name;age\nbob; 3\nann;4\nzoe; 5\n");
  const std::string script = "\"$0\" run -qkj1 --header --colsep '; *' --quarantine $1/";
  const std::string command = " -c 'echo {name}/{age}; [ {age} = 4 ] || kill -SEGV $$'";
  CHECK(place.run(script + "bad" + command + " < $1/in").output == "bob/3\nann/4\nzoe/5\n");
  CHECK(place.read("bad") == "name;age\nbob; 3\nzoe; 5\n");
  CHECK(place.run(script + "worse" + command + " < $1/bad").output == "bob/3\nzoe/5\n");
  CHECK(place.read("worse") == place.read("bad"));
  CHECK(place.run("\"$0\" run -q --header --quarantine $1/none -c 'true {x}' ::: x 1").status == 0);
  CHECK(place.read("none").empty());
}

TEST_CASE("the records of one task go into quarantine each for itself", "[quarantine]") {
  const Place place;
  const std::string script = "\"$0\" run -q -0 -n 2 --quarantine $1/";
  const std::string command = " -c 'echo {}; kill -SEGV $$'";
  CHECK(place.run("printf 'a b\\0c\\nd\\0e\\0' | " + script + "bad -j1" + command).output == "a b c\nd\ne\n");
  CHECK(place.read("bad") == std::string("a b\0c\nd\0e\0", 10));
  CHECK(place.run(script + "worse -j1" + command + " < $1/bad").output == "a b c\nd\ne\n");
  CHECK(place.run("seq 3 | \"$0\" run -q -X --quarantine $1/all -c 'kill -SEGV $$; : {}'").status == 1);
  CHECK(place.read("all") == "1\n2\n3\n");
}

TEST_CASE("records of several sources have TABs between their values, and a hint says so", "[quarantine]") {
  const Place place;
  const std::string command = " -c 'echo {1}-{2}; [ {2} = y ] || kill -SEGV $$' ";
  const Result first = place.run("\"$0\" run -j1 --quarantine $1/bad" + command + "::: a 'b c' ::: x y");
  CHECK(place.read("bad") == "a\tx\nb c\tx\n");
  CHECK(contains(first.error, "--colsep '\\t'"));
  CHECK(place.run("\"$0\" run -qkj1 --colsep '\\t' -a $1/bad" + command).output == "a-x\nb c-x\n");
}

TEST_CASE("coprocess: crashed records go into quarantine as they were", "[quarantine]") {
  const Place place;
  const Result r = place.run(
      "printf 'a\\tb\\nc\\n' | \"$0\" coprocess -q -j1 --quarantine $1/bad -- sh -c "
      "'read x; kill -SEGV $$'");
  CHECK(r.status == 1);
  CHECK(place.read("bad") == "a\tb\nc\n");
}

TEST_CASE("what is in quarantine stays there when the run is resumed, but for a torn record", "[quarantine]") {
  const Place place;
  const std::string script =
      "printf '1\\n2\\n3\\n' | \"$0\" run -q -j1 --joblog $1/log --quarantine $1/bad -c 'kill -SEGV $$; : {}'";
  place.run(script);
  REQUIRE(place.read("bad") == "1\n2\n3\n");
  const std::string log = place.read("log");
  place.write("log", log.substr(0, log.rfind('\n', log.size() - 2) + 1));  // killed before it logged the third
  place.write("bad", "1\n2\nto");
  place.run(
      "printf '1\\n2\\n3\\n' | \"$0\" run -q -j1 --joblog $1/log --resume --quarantine $1/bad "
      "-c 'kill -SEGV $$; : {}'");
  CHECK(place.read("bad") == "1\n2\n3\n");
}

TEST_CASE("a file that records are read from is not written over", "[quarantine]") {
  const Place place;
  place.write("in", "a\nb\n");
  for (const std::string option : {"--quarantine", "--events", "--trace", "--junit", "--joblog"}) {
    for (const std::string input : {" -a $1/in true", " true < $1/in"}) {
      const Result r = place.run("\"$0\" run " + option + " $1/in" + input);
      INFO(option << input << ": " << r.error);
      CHECK(r.status == 2);
      CHECK(contains(r.error, option));
      CHECK(place.read("in") == "a\nb\n");
    }
  }
}
