// Nobody reads, or slowly: the run goes on, obeys, and what was finished arrives whole.
#include "outside.hpp"

#include <bulkhead/byte_sink.hpp>

#include <string>

using namespace outside;

namespace {

// A pipe that is full at once for whoever reads nothing: $1/pipe, open at both ends so that opening does not wait.
const std::string nobody_reads = "mkfifo \"$1/pipe\"; exec 3<>\"$1/pipe\"; ";
const std::string big = "yes x | head -c 300000; echo {}";

}  // namespace

TEST_CASE("a deadline holds while nobody reads", "[slow-reader]") {
  // The last one has to start programs before it says more than a pipe holds.
  const auto [kind, deadline, rest] = GENERATE(table<std::string, std::string, std::string>(
      {{"run", "300ms", "-j2 yes ::: 1 2"},
       {"run", "300ms", "--line-buffer -j2 yes ::: 1 2"},
       {"coprocess", "2s",
        "-0 sh -c 'while read -r x; do head -c 60000 /dev/zero | tr \"\\0\" x; echo; done' :::: /dev/zero"}}));
  CAPTURE(kind, rest);
  const Directory place;
  const Result r = sh(nobody_reads + "\"$0\" " + kind + " --deadline " + deadline + " --term-seq TERM,100ms,KILL " +
                          rest + " > \"$1/pipe\"",
                      {place.path()});
  CHECK(r.status == 124);
  CHECK(contains(r.error, "nobody read the last"));
}

TEST_CASE("a signal ends a run that nobody reads", "[slow-reader]") {
  const Directory place;
  const Result r = sh(nobody_reads + "\"$0\" run -q --joblog \"$1/log\" sh -c '" + big +
                          "' ::: 1 2 > \"$1/pipe\" & "
                          "until [ \"$(wc -l < \"$1/log\")\" = 3 ]; do :; done; kill $!; kill $!; wait $!",
                      {place.path()});
  CHECK(r.status == 143);
}

TEST_CASE("tasks go on and are logged while nobody reads, and their output arrives whole", "[slow-reader]") {
  const Directory place;
  const Result r =
      sh(nobody_reads + "\"$0\" run -q -k --joblog \"$1/log\" sh -c '" + big +
             "' ::: 1 2 3 4 5 > \"$1/pipe\" & "
             "until [ \"$(wc -l < \"$1/log\")\" = 6 ]; do :; done; cat < \"$1/pipe\" 3>&- & exec 3>&-; wait",
         {place.path()});
  std::string all, text;
  for (int i = 0; i < 150000; ++i) text += "x\n";
  for (int i = 1; i <= 5; ++i) all += text + std::to_string(i) + "\n";
  CHECK(r.output == all);
}

TEST_CASE("an unread standard error does not keep standard output from flowing", "[slow-reader]") {
  const Directory place;
  const Result r = sh(nobody_reads +
                          "\"$0\" run -q -k --deadline 20s sh -c 'head -c 300000 /dev/zero >&2; echo {}' ::: 1 2 3 "
                          "2> \"$1/pipe\" | { head -n 3; head -c 900000 < \"$1/pipe\" | wc -c; }",
                      {place.path()});
  CHECK(r.output == "1\n2\n3\n900000\n");
}

TEST_CASE("tags and lines stay whole when the reader is slow", "[slow-reader]") {
  const Result r =
      sh("seq 3 | \"$0\" run -q -k --tag sh -c 'seq 40000' | { sleep 0.2; sort | uniq -c | sort -u -k1,1; }");
  CHECK(contains(r.output, "      1 1\t1\n"));
  CHECK(r.output.find('\n') == r.output.size() - 1);  // every tagged line came once
}

TEST_CASE("output reaches sockets, files opened for appending, and says when a device is full", "[slow-reader]") {
  const Directory place;
  CHECK(
      sh("\"$0\" run -q -k sh -c '" + big + "' ::: 1 2 3 >> \"$1/file\"; wc -c < \"$1/file\"", {place.path()}).output ==
      "900006\n");
  const Result full = sh("\"$0\" run sh -c '" + big + "' ::: 1 2 3 > /dev/full");
  CHECK(full.status == 5);
  CHECK(contains(full.error, "cannot write standard output"));
  const Result socket =
      sh("python3 -c '\nimport socket, subprocess, sys, threading\na, b = socket.socketpair()\n"
         "p = subprocess.Popen([sys.argv[1], \"run\", \"-q\", \"sh\", \"-c\", sys.argv[2], \":::\", \"1\", \"2\"], "
         "stdout=b)\n"
         "b.close()\nn = 0\nwhile True:\n  d = a.recv(1000)\n  if not d: break\n  n += len(d)\nprint(n, p.wait())' "
         "\"$0\" \"$1\"",
         {big});
  CHECK(socket.output == "600004 0\n");
}
