// Plugins and programs out of one function: what records become, what workers begin with, and what is said about it.
#include "outside.hpp"
#include "runs/call_program.hpp"

#include <bulkhead/detail/json_archive.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace outside;
using bulkhead::detail::from_json;
using bulkhead::detail::to_json;

namespace {

struct Named {
  int x = 0;
  double y = 0;
  std::optional<std::string> note{};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(x), CEREAL_NVP(y), CEREAL_NVP(note));
  }
};
struct Nameless {
  int a = 0;
  short b = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(a, b);
  }
};
struct Nested {
  std::map<std::string, std::vector<Named>> groups{};
  std::pair<int, Nameless> pair{};
  std::array<bool, 2> flags{};
  std::tuple<long long, std::string> tuple{};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(groups), CEREAL_NVP(pair), CEREAL_NVP(flags), CEREAL_NVP(tuple));
  }
};
struct JsonTree {
  std::vector<JsonTree> children{};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(children));
  }
};

template <class T>
std::string again(const std::string& text) {
  return to_json(from_json<T>(text));
}
template <class T>
std::string refusal(const std::string& text) {
  try {
    from_json<T>(text);
    return "accepted";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

Result call(const std::string& function, Words words, std::vector<std::string> environment = {}) {
  Words all{BULKHEAD_TOOL, "call", "-k", "-j1", BULKHEAD_ODD_PLUGIN ":" + function};
  all.insert(all.begin() + 4, words.begin(), std::find(words.begin(), words.end(), ":::"));
  all.insert(all.end(), std::find(words.begin(), words.end(), ":::"), words.end());
  return execute({.arguments = std::move(all), .environment = std::move(environment)});
}

Result begun_batch(Words words, std::vector<std::string> environment = {}) {
  words.insert(words.begin(), BULKHEAD_BEGUN_BATCH);
  return execute({.arguments = std::move(words), .environment = std::move(environment)});
}

}  // namespace

TEST_CASE("json: members by their names, in any order, or by their place", "[plugin]") {
  CHECK(again<Named>(R"({"x":1,"y":2})") == R"({"x":1,"y":2,"note":null})");
  CHECK(again<Named>(R"({ "note" : "n", "more" : [{}], "y" : 0.1, "x" : -1 })") == R"({"x":-1,"y":0.1,"note":"n"})");
  CHECK(again<Named>("[1,2]") == R"({"x":1,"y":2,"note":null})");
  CHECK(again<Nameless>("[1,2]") == R"({"value0":1,"value1":2})");
  CHECK(again<Nameless>(R"({"value1":2,"value0":1})") == R"({"value0":1,"value1":2})");
  CHECK(contains(refusal<Nameless>(R"({"a":1,"b":2})"), "the record at value0: it is missing; members that"));
}

TEST_CASE("json: values of all kinds come back as they were", "[plugin]") {
  const std::string text =
      R"({"groups":{"":[],"g\n":[{"x":1,"y":1e+300,"note":"\"\u0000"}]},"pair":{"first":4,"second":{"value0":5,"value1":6}},)"
      R"("flags":[true,false],"tuple":{"tuple_element0":-9007199254740993,"tuple_element1":"ü"}})";
  CHECK(again<Nested>(text) == text);
  CHECK(again<std::pair<int, std::string>>(R"([1,"a"])") == R"({"first":1,"second":"a"})");
  CHECK(again<std::vector<std::optional<int>>>("[1,null]") == "[1,null]");
  CHECK(again<std::map<int, int>>(R"([{"key":1,"value":2}])") == R"([{"key":1,"value":2}])");
  CHECK(again<std::vector<std::uint64_t>>("[18446744073709551615]") == "[18446744073709551615]");
  CHECK(again<std::vector<double>>("[0.1,-0.0,NaN]") == "[0.1,-0,NaN]");
  CHECK(to_json(std::vector<float>{0.1f}) == "[0.1]");
  CHECK_THROWS_AS(to_json(std::string("\xe9")), std::invalid_argument);
}

TEST_CASE("json: what is wrong is said with its place", "[plugin]") {
  CHECK(refusal<Named>(R"({"x":"1","y":2})") == R"(the record at x: a whole number is wanted, not "1")");
  CHECK(refusal<Named>(R"({"x":1.5,"y":2})") == "the record at x: a whole number is wanted, not 1.5");
  CHECK(refusal<Named>(R"({"x":2147483648,"y":2})") ==
        "the record at x: the number does not fit into its type, not 2147483648");
  CHECK(refusal<Named>(R"({"x":1})") == "the record at y: it is missing");
  CHECK(refusal<Named>("7") == "the record: an object or an array is wanted, not 7");
  CHECK(refusal<Named>("[1,2,null,3]") == "the record: the array has 4 elements, and only 3 are wanted");
  CHECK(refusal<Nameless>("[1,70000]") == "the record at [1]: the number does not fit into its type, not 70000");
  CHECK(refusal<std::vector<unsigned>>("[1,-1]") == "the record at [1]: the number does not fit into its type, not -1");
  CHECK(refusal<std::vector<float>>("[1e300]") == "the record at [0]: the number is too large for its type, not 1e300");
  CHECK(refusal<std::vector<int>>(R"({"a":1})") == "the record: an array is wanted, not an object");
  CHECK(refusal<std::map<std::string, std::vector<Nameless>>>(R"({"b":[[1,2],[3,"x"]]})") ==
        R"(the record at b[1][1]: a whole number is wanted, not "x")");
  for (const char* text : {"", "{", "{} {}", "[1,]", "{\"x\":1", "'a'", "\"\xe9\"", "[1],[2]", "nul"})
    CHECK(contains(refusal<Named>(text), "the record is not JSON: "));
  CHECK(contains(refusal<Named>(std::string("{}\0", 3)), "NUL"));
}

TEST_CASE("json: no nesting is a crash", "[plugin]") {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += R"({"children":[)";
  CHECK(contains(refusal<JsonTree>(deep), "not JSON"));
  for (int i = 0; i < 100'000; ++i) deep += "]}";
  CHECK(contains(refusal<JsonTree>(deep), "nested too deep"));
  CHECK(contains(refusal<JsonTree>(std::string(1'000'000, '[')), "not JSON"));
}

TEST_CASE("call: records are JSON for what is no string and no number", "[plugin]") {
  const Result r = call("swapped", {":::", R"({"x":1,"y":2})", R"({"x":1,"y":70000})", "no", "[3,4]"});
  CHECK(r.status == 1);
  CHECK(r.output == "{\"x\":2,\"y\":1,\"note\":null}\n{\"x\":4,\"y\":3,\"note\":null}\n");
  CHECK(contains(r.error, "2 ok, 2 failed"));
  CHECK(contains(r.error, R"(EXCEPTION the record at y: the number does not fit into its type, not 70000  #2 {"x":1)"));
  CHECK(contains(r.error, "EXCEPTION the record is not JSON: there is no value, at byte 2  #3 no"));
  CHECK(call("lengths", {":::", R"(["a","b c"])"}).output == "{\"a\":1,\"b c\":3}\n");
  CHECK(call("count", {":::", R"({"name":"a","children":[{"name":"b","children":[]}]})"}).output == "2\n");
  CHECK(call("negated", {":::", "true", "0"}).output == "false\ntrue\n");
  CHECK(contains(call("latin_list", {":::", "1"}).error, "EXCEPTION the result holds text that is not UTF-8"));
  CHECK(call("latin", {":::", "1"}).output == "\xe9\n");
}

TEST_CASE("call: void prints nothing", "[plugin]") {
  const Result r = call("silent", {":::", "1", "0", "2"});
  CHECK(r.output.empty());
  CHECK(contains(r.error, "2 ok, 1 failed"));
  CHECK(contains(r.error, "EXCEPTION zero"));
}

TEST_CASE("call: a function of several columns", "[plugin]") {
  CHECK(call("columns", {":::", "a b", "c", ":::", "1", ":::", "[5,6]"}).output == "a b/1/5\nc/1/5\n");
  CHECK(call("columns", {"--colsep", ";", ":::", "a;2;[7,8]"}).output == "a/2/7\n");
  CHECK(call("state", {":::", "a", ":::", "b"}).status == 0);  // joined, for a function of one
  const Result bad = call("columns", {":::", "a", ":::", "x", ":::", "[5,6]"});
  CHECK(contains(bad.error, "EXCEPTION column 2: the record is not a number"));
  CHECK(contains(call("columns", {":::", "a"}).error, "the function takes 3 columns, and the record has 1"));
}

TEST_CASE("call: the command of several columns is that of one record", "[plugin]") {
  const Directory place;
  CHECK(call("columns", {"-q", "--joblog", place / "log", ":::", "a b", ":::", "1", ":::", "[5,6]"}).status == 0);
  CHECK(contains(place.read("log"), ":columns ::: 'a b' ::: 1 ::: '[5,6]'\n"));
  CHECK(sh("cd / && PATH=\"${0%/*}:$PATH\" \"$0\" replay \"$1\" 1", {place / "log"}).output == "a b/1/5\n");
}

TEST_CASE("call: what a worker begins with, and ends with", "[plugin]") {
  const Directory place;
  const std::string append = "APPEND=" + place / "words";
  CHECK(call("state", {":::", "a", "b"}, {append}).output == "12\n12\n");
  CHECK(place.read("words") == "begin\nend\n");
  const Result r = call("state", {":::", "a", "die", "b"}, {append});
  CHECK(r.output == "12\n12\n");
  CHECK(contains(r.error, "2 ok, 1 crashed"));
  CHECK(place.read("words") == "begin\nend\nbegin\nbegin\nend\n");  // the one that died came to no end
}

TEST_CASE("call: a beginning that goes wrong is no record's, and is not tried for ever", "[plugin]") {
  for (const auto& [how, words] : {std::pair("throw", "worker_init: bulkhead::PluginError: no model today"),
                                   {"crash", "worker_init: crashed by SIGABRT"},
                                   {"exit", "worker_init: exited with code 7"}}) {
    const Directory place;
    const std::vector<std::string> environment{std::string("BEGIN=") + how, "APPEND=" + place / "words"};
    const Result r = call("state", {":::", "a", "b", "c"}, environment);
    CHECK(r.status == 1);
    CHECK(contains(r.error, words));
    CHECK(contains(r.error, "0 ok, 3 left over"));
    std::filesystem::remove(place / "words");
    const Result limited = call("state", {"--crash-limit", "3", ":::", "a", "b", "c"}, environment);
    CHECK(limited.status == 3);
    CHECK(contains(limited.error, "given up after 3 workers"));
    CHECK(contains(limited.error, words));
    CHECK(place.read("words") == "begin\nbegin\nbegin\n");
  }
}

TEST_CASE("call: a plugin uses the library: what it learns of its task, and work of its own", "[plugin]") {
  const Result told = call("place", {"-k", ":::", "a", "b"});
  CHECK(told.output == "0\n1\n");
  CHECK(contains(told.error, "said"));
  CHECK(call("nested", {":::", "1"}).output == "inner5\n");
}

#ifndef __SANITIZE_ADDRESS__  // it allocates by itself, and has no handler for what is refused
TEST_CASE("call: memory that a plugin is refused is heard of, whichever runtime refuses it", "[plugin]") {
  const Result r = call("hoard", {"--mem-max", "256M", ":::", "1"});
  CHECK(r.status == 1);
  CHECK(contains(r.error, "OOM"));
  const Result caught = call("refused", {"--mem-max", "256M", ":::", "1"});
  CHECK(contains(caught.error, "std::bad_alloc"));
}
#endif

TEST_CASE("call: a plugin of another version is refused", "[plugin]") {
  const Result r = invoke({"call", BULKHEAD_OLD_PLUGIN, ":::", "1"});
  CHECK(r.status == 2);
  CHECK(contains(r.error, "was built for version 1 of the plugin interface, this is version 2; build it again"));
}

#ifdef BULKHEAD_CALL_PROGRAM
TEST_CASE("call: its program is looked for beside the one that was started, however that was reached", "[plugin]") {
  namespace fs = std::filesystem;
  const Directory d;
  const fs::path root = fs::canonical(d.path()), its = root / "libexec/bulkhead/bulkhead-call";
  fs::create_directories(root / "bin");
  fs::create_directories(its.parent_path());
  fs::copy_file(BULKHEAD_TOOL, root / "bin/bulkhead");
  fs::create_symlink(root / "bin/bulkhead", root / "b");
  const auto squared = [&](const char* program) {
    return execute({.arguments = {root / program, "call", BULKHEAD_SQUARE_PLUGIN, ":::", "12"}});
  };
  const Result lacking = squared("bin/bulkhead");
  if (lacking.status != 0) {  // none is installed
    CHECK(lacking.status == 2);
    CHECK(contains(lacking.error, "call: bulkhead-call is not " + its.string() + ", nor "));
  }
  fs::copy_file(BULKHEAD_CALL_PROGRAM, its);
  for (const char* program : {"bin/bulkhead", "b"}) CHECK(squared(program).output == "144\n");
}

TEST_CASE("call: of the places where its program may be the first that is there is taken", "[plugin]") {
  const Directory d;
  const pid_t child = ::fork();
  if (child == 0) {
    const bool told = std::freopen((d / "output").c_str(), "w", stdout) != nullptr;
    try {
      const Words places{"nowhere/bulkhead-call", BULKHEAD_CALL_PROGRAM, "/bin/false"};
      if (told) bulkhead::tool::become_call_program(places, {BULKHEAD_SQUARE_PLUGIN, ":::", "12"});
    } catch (...) {
    }
    ::_exit(99);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(d.read("output") == "144\n");
}
#endif

TEST_CASE("the plugin that loads a table once a worker", "[plugin]") {
  const Directory place;
  place.write("cities.tsv", "Vienna\t48.21\t16.37\nBerlin\t52.52\t13.40\nParis\t48.86\t2.35\n");
  const std::string plugin = BULKHEAD_EXAMPLES "/cities_plugin.so";
  const std::vector<std::string> cities{"CITIES=" + place / "cities.tsv"};
  const auto ask = [&](Words words, std::vector<std::string> environment) {
    words.insert(words.begin(), {BULKHEAD_TOOL, "call", "-k", "-j2"});
    return execute({.arguments = std::move(words), .environment = std::move(environment)});
  };
  const Words near{plugin + ":nearest_city", ":::", R"({"latitude":48.1,"longitude":11.5})",
                   R"({"longitude":2,"latitude":49})", R"({"latitude":1})"};
  const Result r = ask(near, cities);
  CHECK(r.output == "{\"city\":\"Vienna\",\"kilometres\":361}\n{\"city\":\"Paris\",\"kilometres\":30}\n");
  CHECK(contains(r.error, "EXCEPTION the record at longitude: it is missing"));
  CHECK(ask({plugin + ":distance", ":::", "Vienna", ":::", "Berlin", "Paris"}, cities).output == "523\n1033\n");
  const Result none = ask(near, {"CITIES=" + place / "none"});
  CHECK(none.status == 1);
  CHECK(contains(none.error, "worker_init: bulkhead::PluginError: cannot open " + place / "none"));
}

TEST_CASE("a program out of one function speaks of itself", "[plugin]") {
  for (const Words& words : {Words{"--bogus"}, {"-j"}, {"-j0", ":::", "a"}, {"word"}, {"--retries", "x"}}) {
    const Result r = begun_batch(words);
    CHECK(r.status == 2);
    CHECK(r.error.starts_with("begun_batch: "));
    CHECK_FALSE(contains(r.error, "bulkhead"));
  }
  CHECK(contains(begun_batch({"--help"}).output, "Usage: begun_batch [OPTIONS] [::: VALUE...]"));
  CHECK(contains(begun_batch({"-h"}).output, "All options: begun_batch --help"));
  CHECK(begun_batch({"--term-seq", "INT,1s,KILL", ":::", "a"}).status == 2);
  const Result r = begun_batch({":::", "a", ":::", "[]"});
  CHECK(r.output == "table a 0\n");
  CHECK(r.error.starts_with("begun_batch: 1 ok"));
  const Result none = begun_batch({":::", "a", ":::", "[]"}, {"NO_TABLE=1"});
  CHECK(none.status == 1);
  CHECK(contains(none.error, "begun_batch: given up after 11 workers"));
  CHECK(contains(none.error, "worker_init: std::runtime_error: no table"));
}

TEST_CASE("the commands that a program out of one function shows run its records again", "[plugin]") {
  const Directory place;
  const Result r = begun_batch({"-k", "--joblog", place / "log", ":::", "die", "it's\t", ":::", "[1,2]"});
  const std::string line = "  again, alone: " BULKHEAD_BEGUN_BATCH " ::: die ::: '[1,2]'\n";
  CHECK(contains(r.error, line));
  CHECK_FALSE(contains(r.error, "bulkhead replay"));
  const std::size_t command = r.error.find("alone: ") + 7;
  CHECK(contains(sh(r.error.substr(command)).error, "0 ok, 1 crashed"));
  CHECK(invoke({"replay", place / "log", "2"}).output == "table it's\t 2\n");
  const Result mark = execute({.arguments = {"sh", "-c", "echo ::: | \"$0\"", BULKHEAD_EXAMPLES "/checksum_batch"}});
  CHECK(contains(mark.error, "EXCEPTION cannot open :::"));
  const std::string again = mark.error.substr(mark.error.find("alone: ") + 7);
  CHECK(contains(sh(again).error, "EXCEPTION cannot open :::"));
}

TEST_CASE("who links the library does not see the tool's headers", "[plugin]") {
  CHECK(contains(BULKHEAD_INCLUDES_OF_A_USER, BULKHEAD_SOURCE_DIR "/include"));
  CHECK_FALSE(contains(BULKHEAD_INCLUDES_OF_A_USER, "tools/bulkhead"));
}
