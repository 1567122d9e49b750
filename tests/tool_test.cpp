// The built program from the outside: its words, its streams, its status.
#include "outside.hpp"

#include <bulkhead/command.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;
using namespace outside;

TEST_CASE("run: a program per record", "[tool]") {
  const Result r = run({"-k", "echo", "{}", ":::", "a", "b c", "$(id)"});
  CHECK(r.status == 0);
  CHECK(r.output == "a\nb c\n$(id)\n");
  CHECK(contains(r.error, "3 ok"));
}

TEST_CASE("run: records from standard input, and none at all", "[tool]") {
  CHECK(sh("seq 3 | \"$0\" run -k -q echo n{}").output == "n1\nn2\nn3\n");
  CHECK(sh("printf 'a\\0b' | \"$0\" run -0 -k -q echo").output == "a\nb\n");
  CHECK(sh("printf 'a,b' | \"$0\" run -d , -k -q echo").output == "a\nb\n");
  CHECK(sh("\"$0\" run -q echo < /dev/null").status == 0);
  CHECK(sh("printf 'echo x\\nexit 3' | \"$0\" run -q -k").status == 1);
}

TEST_CASE("run: order of the records, whatever ends first", "[tool]") {
  CHECK(run({"-k", "-q", "-j3", "-c", "sleep 0.{}; echo {}", ":::", "3", "2", "1"}).output == "3\n2\n1\n");
}

TEST_CASE("run: endings in words", "[tool]") {
  const Result r = run({"--timeout", "200ms", "-c", "{}", ":::", "x"});
  CHECK(r.status == 1);
  const Result many = sh("printf 'exit 3\\nkill -SEGV $$\\nsleep 60\\necho why >&2; exit 4' | \"$0\" run --timeout 1s");
  CHECK(many.status == 1);
  CHECK(contains(many.error, "EXIT 3"));
  CHECK(contains(many.error, "CRASH SIGSEGV"));
  CHECK(contains(many.error, "TIMEOUT 1s"));
  CHECK(contains(many.error, "      why"));
  CHECK(contains(run({"bulkhead-no-such-program", ":::", "x"}).error, "CANNOT RUN: No such file"));
}

TEST_CASE("run: extra attempts", "[tool]") {
  const Result r = run({"--retries", "2", "-c", "echo $BULKHEAD_ATTEMPT {}; test $BULKHEAD_ATTEMPT = 3", ":::", "x"});
  CHECK(r.status == 0);
  CHECK(r.output == "3 x\n");
  CHECK(contains(r.error, "2 attempts retried"));
  CHECK(run({"--retries", "1", "--retry-delay", "10ms", "false", ":::", "x"}).status == 1);
}

TEST_CASE("run: tasks know where they are", "[tool]") {
  const Result r =
      run({"-k", "-q", "-j1", "-c", "echo $BULKHEAD_SEQ $BULKHEAD_SLOT $BULKHEAD_ATTEMPT {}", ":::", "a", "b"});
  CHECK(r.output == "1 1 1 a\n2 1 1 b\n");
}

TEST_CASE("run: tags and lines", "[tool]") {
  CHECK(run({"--tag", "-k", "-q", "printf", "%s\\n-\\n", ":::", "a", "b"}).output == "a\ta\na\t-\nb\tb\nb\t-\n");
  CHECK(run({"--tag", "-q", "--line-buffer", "printf", "%s\\n.", ":::", "a"}).output == "a\ta\na\t.\n");
  CHECK(run({"-u", "-q", "echo", ":::", "a"}).output == "a\n");
}

TEST_CASE("run: halting", "[tool]") {
  const Result r = run({"--fail-fast", "-j1", "-c", "echo {}; exit {}", ":::", "0", "5", "0"});
  CHECK(r.status == 3);
  CHECK(r.output == "0\n5\n");
  CHECK(contains(r.error, "1 left over"));
  CHECK(run({"--fail-fast", "--exit-code=task", "-j1", "-c", "exit {}", ":::", "5"}).status == 5);
  CHECK(run({"--exit-code=count", "-c", "exit {}", ":::", "1", "0", "1"}).status == 2);
  CHECK(run({"--deadline", "200ms", "sleep", ":::", "60"}).status == 124);
}

TEST_CASE("run: the job log", "[tool]") {
  const std::string path = (std::filesystem::temp_directory_path() / "bulkhead-tool-test-joblog").string();
  std::remove(path.c_str());
  CHECK(run({"--joblog", path, "-j1", "-c", "exit {}", ":::", "0", "7"}).status == 1);
  std::ifstream file(path);
  std::string header, first, second;
  std::getline(file, header);
  std::getline(file, first);
  std::getline(file, second);
  CHECK(header.starts_with("Seq\tHost\t"));
  CHECK(first.ends_with("\t0\t0\texit 0"));
  CHECK(second.ends_with("\t7\t0\texit 7"));
  std::remove(path.c_str());
  const Result full = run({"--joblog", "/dev/full", "true", ":::", "a"});
  CHECK(full.status != 0);
  CHECK(contains(full.error, "/dev/full"));
}

TEST_CASE("run: commands shown and not run", "[tool]") {
  const Result r = run({"--dry-run", "echo", ":::", "a b", "it's"});
  CHECK(r.status == 0);
  CHECK(r.output == "echo 'a b'\necho 'it'\\''s'\n");
  CHECK(contains(run({"-v", "echo", "x", ":::", "a b"}).error, "echo x 'a b'\n"));
}

TEST_CASE("usage errors name the option and the remedy", "[tool]") {
  const std::vector<std::pair<Words, std::string>> cases{
      {{"--jbos", "3", "echo"}, "--jobs"},
      {{"-j", "0", "echo", ":::", "a"}, "--jobs"},
      {{"--timeout", "10x", "echo", ":::", "a"}, "--timeout"},
      {{"--halt", "now", "echo", ":::", "a"}, "--halt"},
      {{"--retries", "x", "echo", ":::", "a"}, "--retries"},
      {{"-c", "echo \"{}\"", ":::", "a"}, "double quotes"},
      {{"ls -l", ":::", "a"}, "-c"},
      {{"echo", "{2}", ":::", "a"}, "{2}"},
      {{"-a", "/nonexistent", "echo"}, "/nonexistent"},
      {{"-k", "-u", "echo", ":::", "a"}, "--keep-order"},
      {{"--retry-delay", "1s", "echo", ":::", "a"}, "--retries"},
      {{"--delimiter", "", "echo"}, "--delimiter"},
      {{"--jobs"}, "needs a value"},
      {{"--quiet=yes", "echo"}, "takes no value"},
      {{"--exit-code", "sum", "echo", ":::", "a"}, "count"},
  };
  for (const auto& [words, remedy] : cases) {
    const Result r = run(words);
    INFO(words.front() << ": " << r.error);
    CHECK(r.status == 2);
    CHECK(r.output.empty());
    CHECK(contains(r.error, remedy));
  }
  CHECK(invoke({"rnu"}).status == 2);
  CHECK(contains(invoke({"rnu"}).error, "run"));
  CHECK(invoke({}).status == 2);
}

TEST_CASE("help begins with examples, and options end at the first word", "[tool]") {
  const Result help = run({"--help"});
  CHECK(help.status == 0);
  CHECK(help.output.find("Examples:") < help.output.find("--joblog"));
  CHECK(invoke({"--version"}).output.starts_with("bulkhead "));
  CHECK(run({"-q", "echo", "--jobs", "-k", ":::", "a"}).output == "--jobs -k a\n");
  CHECK(run({"-qkj2", "--", "echo", ":::", "-x"}).output == "-x\n");
}

TEST_CASE("a reader that goes away ends the run quietly", "[tool]") {
  const Result r = sh("{ \"$0\" run -q -j1 -c 'echo {}' ::: $(seq 500); echo $? >&2; } | head -n 1");
  CHECK(r.output == "1\n");
  CHECK(r.error == "141\n");
}

TEST_CASE("the first signal ends the tasks with grace, and nothing survives", "[tool]") {
  const Result r =
      sh("f=$(mktemp); rm $f; mkfifo $f; \"$0\" run -c ': {}; echo $$ > '$f'; exec sleep 60' ::: a & t=$!;"
         "read p < $f; kill -TERM $t; wait $t; echo $?; kill -0 $p 2>/dev/null && echo alive; rm $f");
  CHECK(r.output == "143\n");
  CHECK(contains(r.error, "1 left over"));
}

TEST_CASE("the second signal kills at once", "[tool]") {
  const Result r =
      sh("d=$(mktemp -d); mkfifo $d/a $d/b;"
         "\"$0\" run -c ': {}; trap \"echo told > '$d/b'\" TERM; echo $$ > '$d/a'; while :; do sleep 1; done' ::: a & "
         "t=$!;"
         "read p < $d/a; kill -TERM $t; read x < $d/b; kill -TERM $t; wait $t; echo $x $?;"
         "kill -0 $p 2>/dev/null && echo alive; rm -r $d");
  CHECK(r.output == "told 143\n");
}

TEST_CASE("a signal while the input keeps us waiting ends the run", "[tool]") {
  const Result r =
      sh("f=$(mktemp -d); mkfifo $f/in $f/out; exec 9<>$f/in; exec 8<>$f/out;"
         "\"$0\" run --line-buffer echo < $f/in > $f/out & t=$!; echo a >&9; read x <&8;"
         "kill -INT $t; kill -TERM $t; wait $t; s=$?; echo $x $((s == 130 || s == 143)); rm -r $f");
  CHECK(r.output == "a 1\n");
}

TEST_CASE("call: a function per record", "[tool]") {
  const Result r = invoke({"call", "-k", BULKHEAD_SQUARE_PLUGIN, ":::", "1", "-2", "3"});
  CHECK(r.status == 0);
  CHECK(r.output == "1\n4\n9\n");
  const Result bad = invoke({"call", "-k", std::string(BULKHEAD_SQUARE_PLUGIN) + ":square", ":::", "x", "4"});
  CHECK(bad.status == 1);
  CHECK(bad.output == "16\n");
  CHECK(contains(bad.error, "EXCEPTION the record is not a number"));
}

TEST_CASE("call: what cannot be called is a usage error that says what can", "[tool]") {
  const Result missing = invoke({"call", std::string(BULKHEAD_SQUARE_PLUGIN) + ":cube", ":::", "1"});
  CHECK(missing.status == 2);
  CHECK(contains(missing.error, "it offers square"));
  CHECK(invoke({"call", "/nonexistent.so", ":::", "1"}).status == 2);
  CHECK(invoke({
                   "call",
               })
            .status == 2);
}
