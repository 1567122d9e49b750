// What a run leaves behind for other programs: its events, trace, test report and results.
#include "outside.hpp"

#include <bulkhead/command.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;
using namespace outside;
using nlohmann::json;

namespace {

std::vector<json> events_of(const std::string& path) {
  std::istringstream lines(read_file(path));
  std::vector<json> events;
  for (std::string line; std::getline(lines, line);) events.push_back(json::parse(line));
  return events;
}

std::vector<json> of_kind(const std::vector<json>& events, const std::string& kind) {
  std::vector<json> found;
  for (const json& event : events)
    if (event.at("event") == kind) found.push_back(event);
  return found;
}

}  // namespace

TEST_CASE("option --events: what happens, a JSON object a line", "[events]") {
  const Directory directory;
  const std::string path = directory / "events";
  std::ofstream(path) << "of another run\n";
  CHECK(run({"-q", "-j1", "--retries", "1", "--events", path, "-c", "echo out; echo why >&2; exit {}", ":::", "0", "3"})
            .status == 1);
  const std::vector<json> events = events_of(path);
  REQUIRE(events.size() >= 8);
  CHECK(events.front().at("event") == "run_started");
  CHECK(events.front().at("version") == 1);
  CHECK(events.back().at("event") == "run_finished");
  CHECK(events.back().at("ok") == 1);
  CHECK(events.back().at("failed") == 1);
  CHECK(events.back().at("exit_status") == 1);
  CHECK(of_kind(events, "task_started").size() == 3);
  CHECK(of_kind(events, "worker_started").size() >= 1);
  CHECK(of_kind(events, "attempt_lost").size() == 1);
  const std::vector<json> finished = of_kind(events, "task_finished");
  REQUIRE(finished.size() == 2);
  CHECK(finished[0].at("ending") == "ok");
  CHECK(finished[0].at("output_bytes") == 8);
  CHECK(finished[0].at("pid") > 0);
  CHECK(finished[1].at("words") == "EXIT 3");
  CHECK(finished[1].at("exit_code") == 3);
  CHECK(finished[1].at("attempt") == 2);
  CHECK(finished[1].at("error_tail") == "why\n");
  CHECK(finished[1].at("started") > 1e9);
}

TEST_CASE("option --events: records are bytes, JSON is not", "[events]") {
  const Directory directory;
  CHECK(run({"-q", "--events", directory / "events", "true", ":::", "\xff\xfe\"\n"}).status == 0);
  const std::vector<json> finished = of_kind(events_of(directory / "events"), "task_finished");
  REQUIRE(finished.size() == 1);
  CHECK(finished[0].at("record") == "\uFFFD\uFFFD\"\n");
}

#ifndef __SANITIZE_ADDRESS__  // there the sanitizer has the signal
TEST_CASE("option --events: where a worker of the program's own crashed is told by name", "[events]") {
  const Directory directory;
  directory.write("script", "read line; kill -SEGV $PPID; read line");
  const Result r = execute({.arguments = {BULKHEAD_TOOL, "coprocess", "--events", directory / "events", "sh",
                                          directory / "script", ":::", "a"}});
  CHECK(r.status == 1);
  CHECK(contains(r.error, "CRASH SIGSEGV at "));
  const std::vector<json> lost = of_kind(events_of(directory / "events"), "task_finished");
  REQUIRE(lost.size() == 1);
  CHECK(contains(lost[0].at("backtrace").dump(), "bulkhead::Coprocess::ask+0x"));
}
#endif

TEST_CASE("there are no more slots than records, where these are known before they are read", "[events]") {
  const Directory directory;
  const std::string path = directory / "events";
  const auto slots = [&](Words words) {
    words.insert(words.begin(), {"-q", "--events", path});
    CHECK(run(std::move(words)).status == 0);
    return events_of(path).front().at("jobs");
  };
  CHECK(slots({"true", ":::", "a"}) == 1);
  CHECK(slots({"-j8", "true", ":::", "a", "b", "c"}) == 3);
  CHECK(slots({"-j2", "true", ":::", "a", "b", "c"}) == 2);
  CHECK(slots({"-j8", "true", ":::", "a", "b", ":::", "c", "d"}) == 4);
  CHECK(slots({"-j8", "--header", "true", ":::", "name", "a", "b"}) == 2);
  CHECK(slots({"-j8", "-r", "true", ":::"}) == 1);
  std::ofstream(directory / "records") << "a\n";
  CHECK(slots({"-j8", "-a", directory / "records", "true"}) == 8);
}

TEST_CASE("what cannot be recorded ends the run with status 5", "[events]") {
  const std::string option = GENERATE("--events", "--trace", "--junit", "--results");
  const Result r = run({option, "/dev/full", "echo", ":::", "1", "2", "3"});
  INFO(option << ": " << r.error);
  CHECK(r.status == 5);
  CHECK(contains(r.error, "/dev/full"));
}

TEST_CASE("option --trace: a track a slot, for every attempt a slice", "[events]") {
  const Directory directory;
  const std::string path = directory / "trace";
  CHECK(run({"-q", "-j1", "--retries", "1", "--trace", path, "-c", "sleep 0.05; exit {}", ":::", "0", "3"}).status ==
        1);
  const json trace = json::parse(read_file(path));
  std::vector<json> slices, names;
  for (const json& event : trace.at("traceEvents")) {
    if (event.at("ph") == "X") slices.push_back(event);
    if (event.at("name") == "thread_name") names.push_back(event);
  }
  REQUIRE(names.size() == 1);
  CHECK(names[0].at("args").at("name") == "slot 1");
  REQUIRE(slices.size() == 3);
  for (const json& slice : slices) {
    CHECK(slice.at("tid") == 1);
    CHECK(slice.at("dur") >= 50'000);
    CHECK(slice.at("ts") >= 0);
    CHECK(slice.at("ts") < 60'000'000);
  }
  CHECK(slices[1].at("ts") >= slices[0].at("ts").get<double>() + slices[0].at("dur").get<double>());
}

TEST_CASE("option --trace: a run without tasks, and one that is stopped, leave valid JSON", "[events]") {
  const Directory directory;
  CHECK(run({"-q", "--trace", directory / "none", "-a", "/dev/null", "echo"}).status == 0);
  CHECK(json::accept(read_file(directory / "none")));
  CHECK(run({"-q", "--trace", directory / "cut", "--deadline", "200ms", "sleep", ":::", "60"}).status == 124);
  CHECK(json::accept(read_file(directory / "cut")));
}

TEST_CASE("option --junit: a test case a task, counts in the header", "[events]") {
  const Directory directory;
  const std::string path = directory / "report.xml";
  CHECK(run({"-q", "-j1", "--junit", path, "-c", "echo '<]]>' >&2; {}", ":::", "true", "exit 3", "kill -SEGV $$"})
            .status != 0);
  CHECK(run({"-q", "-j1", "--junit", path, "sh", "-c", "echo '<]]>' >&2; eval \"$1\"", "x", "{}", ":::", "true",
             "exit 3", "kill -SEGV $$"})
            .status == 1);
  const std::string xml = read_file(path);
  CHECK(contains(xml, "tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"0\""));
  CHECK(contains(xml, "<failure message=\"EXIT 3\" type=\"failed\">&lt;]]&gt;\n</failure>"));
  CHECK(contains(xml, "<error message=\"CRASH SIGSEGV\" type=\"crashed\">"));
  CHECK(xml.ends_with("</testsuite>\n"));
}

TEST_CASE("option --junit: whatever a record holds, the report stays XML", "[events]") {
  const Directory directory;
  const std::string path = directory / "report.xml";
  CHECK(run({"-q", "--junit", path, "true", ":::", "\xff\x01\"<&>\xef\xbf\xbf"}).status == 0);
  CHECK(contains(read_file(path), "\\xff\\x01&quot;&lt;&amp;&gt;\\uffff"));
}

TEST_CASE("option --results: a directory a task", "[events]") {
  const Directory directory;
  const std::string place = directory / "results";
  const Result r = run({"-q", "-k", "--results", place, "-c", "echo out{}; echo err >&2; exit {}", ":::", "0", "3"});
  CHECK(r.status == 1);
  CHECK(r.output == "out0\nout3\n");
  CHECK(read_file(place + "/1/stdout") == "out0\n");
  CHECK(read_file(place + "/2/stdout") == "out3\n");
  CHECK(read_file(place + "/2/stderr") == "err\n");
  CHECK(json::parse(read_file(place + "/2/result.json")).at("words") == "EXIT 3");
  CHECK(invoke({"call", "-q", "--results", place, BULKHEAD_SQUARE_PLUGIN, ":::", "5"}).status == 0);
  CHECK(read_file(place + "/1/stdout") == "25\n");
}

TEST_CASE("option --results: no value leads out of its place", "[events]") {
  const Directory directory;
  const std::string place = directory / "results";
  CHECK(run({"-q", "--results", place + "/{}", "echo", ":::", "..", "../x", "a/b", std::string(400, 'y')}).status == 0);
  CHECK(read_file(place + "/%2E./stdout") == "..\n");
  CHECK(read_file(place + "/%2E.%2Fx/stdout") == "../x\n");
  CHECK(read_file(place + "/a%2Fb/stdout") == "a/b\n");
  CHECK(std::distance(std::filesystem::directory_iterator(place), {}) == 4);
  for (const std::string mode : {"--ungroup", "--line-buffer"}) {
    const Result refused = run({mode, "--results", place, "echo", ":::", "a"});
    CHECK(refused.status == 2);
    CHECK(contains(refused.error, mode));
  }
}

TEST_CASE("option --events: a worker that dies, and its replacement", "[events]") {
  const Directory directory;
  CHECK(run({"-q", "-j1", "--events", directory / "events", "sh", "-c", "test {} = 2 || kill -KILL $PPID", ":::", "1",
             "2"})
            .status == 1);
  const std::vector<json> events = events_of(directory / "events");
  const std::vector<json> started = of_kind(events, "worker_started"), died = of_kind(events, "worker_died");
  REQUIRE(died.size() == 1);
  REQUIRE(started.size() == 2);
  CHECK(died[0].at("signal") == 9);
  CHECK(died[0].at("pid") == started[0].at("pid"));
  const std::vector<json> finished = of_kind(events, "task_finished");
  REQUIRE(finished.size() == 2);
  CHECK(finished[0].at("ending") == "crashed");
  CHECK(finished[0].at("pid") == started[0].at("pid"));
  CHECK(finished[1].at("pid") == started[1].at("pid"));
}

TEST_CASE("what can no longer be written at the end is no success either", "[events]") {
  const Directory directory;
  const std::string option = GENERATE("--trace", "--junit");
  // The beginning fits into the allowed size, the rest is written when all tasks have ended well.
  const std::string script = "trap '' XFSZ; ulimit -S -f 1; exec \"$0\" run -q -j1 " + option + " '" +
                             directory / "file" + "' true ::: $(seq 20)";
  TaskOutput error;
  Command command{.arguments = {"sh", "-c", script, BULKHEAD_TOOL}, .timeout = 60s};
  command.error = &error;
  const CommandResult result = run_command(command);
  INFO(option << ": " << text_of(error, result.error));
  CHECK(result.exit_code == 5);
  CHECK(contains(text_of(error, result.error), directory / "file"));
}

TEST_CASE("option --results: two tasks never share a directory", "[events]") {
  const Directory directory;
  const std::string place = directory / "r";
  const Result r = run({"-j1", "--results", place + "/{}", "-c", "echo $BULKHEAD_SEQ; : {}", ":::", "a", "b", "a"});
  CHECK(r.status == 0);
  CHECK(read_file(place + "/a/stdout") == "1\n");
  CHECK(read_file(place + "/b/stdout") == "2\n");
  CHECK(read_file(place + "/a%#3/stdout") == "3\n");
  CHECK(contains(r.error, place + "/a%#3/"));
  CHECK(json::parse(read_file(place + "/a%#3/result.json")).at("seq") == 3);
  // what an earlier run left is written over
  CHECK(run({"-q", "-j1", "--results", place + "/{}", "-c", "echo new; : {}", ":::", "x", "a"}).status == 0);
  CHECK(read_file(place + "/a/stdout") == "new\n");
}

TEST_CASE("option --results: a resumed run goes on in the directories of the run before", "[events]") {
  const Directory directory;
  const std::string place = directory / "r", log = directory / "log";
  const Words words{
      "-q",
      "-k",
      "-j1",
      "--joblog",
      log,
      "--resume-failed",
      "--results",
      place + "/{}",
      "-c",
      "[ $BULKHEAD_SEQ -ne 3 ] || [ -e '" + directory.path() + "/ok' ] || exit 1; echo $BULKHEAD_SEQ; : {}",
      ":::",
      "a",
      "b",
      "a"};
  CHECK(run(words).status == 1);
  directory.write("ok", "");
  CHECK(run(words).output == "3\n");
  CHECK(read_file(place + "/a/stdout") == "1\n");
  CHECK(read_file(place + "/a%#3/stdout") == "3\n");
}

TEST_CASE("option --results: a template that cannot tell tasks apart is refused", "[events]") {
  const Directory directory;
  const std::string place = directory / "r";
  for (const Words& words : {Words{"--results", place + "/{%}", "true", ":::", "a", "b"},
                             Words{"--results", place + "/{1}", "true", ":::", "a", "b", ":::", "x", "y"},
                             Words{"--results", place + "/{-1}", "true", ":::", "a", "b", ":::", "x", "y"}}) {
    const Result r = run(words);
    INFO(words[1] << ": " << r.error);
    CHECK(r.status == 2);
    CHECK(contains(r.error, "--results"));
    CHECK(contains(r.error, "{#}"));
  }
  CHECK(run({"-q", "--results", place + "/{2}/{1}", "true", ":::", "a", "b", ":::", "x", "y"}).status == 0);
  CHECK(run({"-q", "--results", place + "/{2}", "true", ":::", "a", "b", ":::+", "x", "y"}).status == 0);
  CHECK(run({"-q", "--results", place + "/{%}/{#}", "true", ":::", "a", "b"}).status == 0);
}

TEST_CASE("columns have their names in --results and --tag-format", "[events]") {
  const Directory directory;
  const std::string place = directory / "r";
  const std::string options = "--header --colsep , --results " + place + "/{name} --tag-format '{age}: '";
  CHECK(sh("printf 'name,age\\nbob,3\\nann,4\\n' | \"$0\" run -kq " + options + " echo {name}").output ==
        "3: bob\n4: ann\n");
  CHECK(read_file(place + "/bob/stdout") == "bob\n");
  const std::string of_call = "--header --colsep , --results " + place + "/{x} --tag-format '{y}: '";
  CHECK(sh("printf 'x,y\\n' | \"$0\" call -kq " + of_call + " \"$1\"", {BULKHEAD_SQUARE_PLUGIN}).status == 0);
  CHECK(sh("printf 'x,y\\na,b\\n' | \"$0\" coprocess -kq " + of_call + " cat").output == "b: a b\n");
  CHECK(read_file(place + "/a/stdout") == "a b\n");
}
