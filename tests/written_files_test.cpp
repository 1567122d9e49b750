// What a run writes, and what it reads, when the disk is full or files come and go: never status 0 with something
// unwritten, and every error names its file.
#include "outside.hpp"

#include <algorithm>
#include <string>

using namespace outside;

namespace {

// $0 is the tool, $1 a directory of the test's own, $2 the plugin.
struct PluginPlace : Directory {
  Result run(const std::string& script) const { return sh(script, {path(), BULKHEAD_SQUARE_PLUGIN}); }
};

// In a file system of 64 KiB, mounted where nobody else sees it; false: this user may not, or this system cannot.
bool on_small_disk(const PluginPlace& place, const std::string& script, Result& result) {
  place.write("script", script);
  std::filesystem::create_directory(place / "disk");
  const std::string mounted =
      "exec unshare -m sh -c 'mount -t tmpfs -o size=64k none \"$1/disk\" || exit 99; . \"$1/script\"' \"$0\" \"$1\" "
      "\"$2\"";
  if (place.run("unshare -m sh -c 'mount -t tmpfs none $0/disk' $1").status != 0) return false;
  result = place.run(mounted);
  return true;
}

}  // namespace

TEST_CASE("a disk that fills up ends the run with status 5, whatever was written there", "[written-files]") {
  const std::string option =
      GENERATE("--joblog", "--events", "--trace", "--junit", "--results", "--quarantine", "standard output");
  const PluginPlace place;
  const auto script_for = [&]() -> std::string {
    if (option == "--results") return "seq 500 | \"$0\" run -q --results $1/disk/file echo";
    if (option == "standard output") return "seq 100000 | \"$0\" call -q $2 > $1/disk/file";
    if (option == "--quarantine")
      return "ulimit -c 0; head -c 1000000 /dev/zero | tr '\\0' x | fold -w 99999 | \"$0\" run -q --quarantine "
             "$1/disk/file -c 'kill -SEGV $$; : {}'";
    return "seq 100000 | \"$0\" call -q " + option + " $1/disk/file $2 > /dev/null";
  };
  const std::string script = script_for();
  Result r;
  if (!on_small_disk(place, script, r)) return;
  INFO(option << ": " << r.error);
  CHECK(r.status == 5);
  CHECK(contains(r.error, option == "standard output" ? option : "/disk/file"));
  CHECK(contains(r.error, "No space left"));
}

TEST_CASE("a job log on a full disk is resumed exactly when there is room again", "[written-files]") {
  const PluginPlace place;
  Result r;
  if (!on_small_disk(place,
                     "seq 5000 | \"$0\" call -q --joblog $1/disk/log $2 > $1/out; s=$?; cp $1/disk/log $1; "
                     "exit $s",
                     r))
    return;
  CHECK(r.status == 5);
  CHECK(contains(r.error, "/disk/log"));
  // the log names the plugin and its records, and not where the log is
  CHECK(place.run("seq 5000 | \"$0\" call -q --joblog $1/log --resume $2 >> $1/out").status == 0);
  CHECK(place.run("tail -n +2 $1/log | cut -f1 | sort -n | uniq -u | wc -l").output == "5000\n");
  CHECK(place.run("sort -nu $1/out | wc -l").output == "5000\n");
}

TEST_CASE("results that cannot be written are named, and their tasks not logged", "[written-files]") {
  const PluginPlace place;
  place.write("results", "a file where a directory should be");
  const Result r = place.run("\"$0\" run -q -j1 --joblog $1/log --results $1/results true ::: 1 2 3");
  CHECK(r.status == 5);
  CHECK(contains(r.error, place / "results"));
  const std::string log = place.read("log");
  CHECK(std::count(log.begin(), log.end(), '\n') == 1);
}

TEST_CASE("a file that is removed or replaced while it is written is no success", "[written-files]") {
  const std::string option = GENERATE("--joblog", "--events", "--trace", "--junit", "--quarantine");
  const std::string deed = GENERATE("rm $1/file", "mv $1/file $1/old; echo mine > $1/file");
  const PluginPlace place;
  place.write("deed", deed);
  const Result r = place.run("\"$0\" run -q -j1 " + option +
                             " $1/file sh -c 'test $2 != 2 || . $1/deed' x $1 {} "
                             "::: 1 2 3");
  INFO(option << ": " << r.error);
  CHECK(r.status == 5);
  CHECK(contains(r.error, place / "file"));
  CHECK(contains(r.error, "removed or replaced"));
  if (contains(deed, "mine")) CHECK(place.read("file") == "mine\n");
}

TEST_CASE("the reader of a pipe that goes away ends the run with status 5", "[written-files]") {
  const PluginPlace place;
  const Result r = place.run(
      "mkfifo $1/pipe; head -n 1 $1/pipe > $1/head & seq 100000 | \"$0\" call -q --events $1/pipe "
      "$2 > /dev/null; s=$?; wait; exit $s");
  CHECK(r.status == 5);
  CHECK(contains(r.error, place / "pipe"));
  CHECK(contains(place.read("head"), "run_started"));
}

TEST_CASE("full standard streams are no success", "[written-files]") {
  const PluginPlace place;
  for (const std::string mode : {"", "-k", "--line-buffer", "--tag"}) {
    const Result r = place.run("\"$0\" run -q --events $1/events " + mode + " echo ::: 1 2 3 > /dev/full");
    INFO(mode << ": " << r.error);
    CHECK(r.status == 5);
    CHECK(contains(r.error, "standard output"));
    const std::string events = place.read("events");
    CHECK(contains(events, "\"run_finished\""));
    CHECK(contains(events, "\"exit_status\":5"));
    CHECK(place.run("\"$0\" run " + mode + " -c 'echo {} >&2' ::: 1 2 3 2> /dev/full").status == 5);
  }
  CHECK(place.run("\"$0\" run true ::: 1 2> /dev/full").status == 5);  // the summary
}

TEST_CASE("a log that another run writes is refused, and so is one file for two things", "[written-files]") {
  const PluginPlace place;
  const Result r = place.run(
      "mkfifo $1/up $1/go; \"$0\" run -q --joblog $1/log -c 'echo > '$1'/up; read x < '$1'/go' ::: a & "
      "read x < $1/up; \"$0\" run --joblog $1/log true ::: b; s=$?; echo > $1/go; wait; exit $s");
  CHECK(r.status == 2);
  CHECK(contains(r.error, place / "log"));
  CHECK(contains(r.error, "another run"));
  const Result two = place.run("\"$0\" run --joblog $1/new --events $1/new true ::: a");
  CHECK(two.status == 2);
  CHECK(contains(two.error, place / "new"));
}

TEST_CASE("inputs that cannot be read are named, and are no success", "[written-files]") {
  const PluginPlace place;
  for (const std::string input : {"-a $1 true", "--header -a $1 true", "true :::: $1"}) {
    const Result r = place.run("\"$0\" run " + input);
    INFO(input);
    CHECK(r.status == 2);
    CHECK(contains(r.error, place.path() + " is a directory"));
  }
  for (const std::string header : {"", "--header"}) {
    const Result r = place.run("\"$0\" run " + header + " true < $1");
    CHECK(r.status == (header.empty() ? 1 : 2));
    CHECK(contains(r.error, "cannot read standard input"));
    const Result unreadable = place.run("\"$0\" run " + header + " -a /proc/self/mem true");
    CHECK(unreadable.status == (header.empty() ? 1 : 2));
    CHECK(contains(unreadable.error, "cannot read /proc/self/mem"));
  }
  CHECK(place.run("\"$0\" run true :::: $1/nothing").status == 2);
}

TEST_CASE("an input that vanishes while it is read is read to its end", "[written-files]") {
  const PluginPlace place;
  const Result r = place.run("seq 20000 > $1/in; \"$0\" run -q -n 100 -a $1/in -c 'rm -f '$1'/in; echo {} | wc -w'");
  CHECK(r.status == 0);
  CHECK(std::count(r.output.begin(), r.output.end(), '\n') == 200);
}
