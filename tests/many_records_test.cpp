// A million records in bounded memory, and the first task before the last record.
#include "outside.hpp"

#include <bulkhead/command.hpp>

#include <cstdint>
#include <string>

using namespace bulkhead;
using namespace outside;

namespace {

// The largest process of `seq count | bulkhead ...`, in KiB.
std::uint64_t peak_with(int count, const std::string& words) {
  const std::string script = "seq " + std::to_string(count) + " | \"$0\" " + words + " > /dev/null";
  const CommandResult result = run_command(
      {.arguments = {"sh", "-c", script, BULKHEAD_TOOL, BULKHEAD_SQUARE_PLUGIN}, .timeout = std::chrono::minutes(2)});
  REQUIRE(result.exit_code == 0);
  return result.max_rss >> 10;
}

}  // namespace

TEST_CASE("a million records take no more memory than some", "[many-records]") {
  const std::string words =
      GENERATE("call -q \"$1\"", "run -q -X -n 5000 true", "run -q -n 2000 true", "call -qk --tag \"$1\"");
  const std::uint64_t few = peak_with(100'000, words), many = peak_with(1'000'000, words);
  std::printf("%s: %lu KiB for 100000 records, %lu KiB for 1000000\n", words.c_str(), few, many);
#ifndef __SANITIZE_ADDRESS__
  CHECK(many < few + (12 << 10));
#endif
}

TEST_CASE("a million logged records are skipped in a few bytes each", "[many-records][long]") {
  const Directory place;
  const Result r =
      sh("seq 1000000 | \"$0\" call -q --joblog $2/log \"$1\" > /dev/null && "
         "seq 1000001 | \"$0\" call -qk --joblog $2/log --resume \"$1\"; cut -f1 $2/log | sort -nu | wc -l",
         {BULKHEAD_SQUARE_PLUGIN, place.path()});
  CHECK(r.output == "1000002000001\n1000002\n");
}

TEST_CASE("the first task runs while the input is still to come", "[many-records]") {
  const std::string words = GENERATE("run -q echo", "run -qk --header echo {x}", "call -q \"$1\"", "run -q -n2 echo");
  const std::string first = contains(words, "header") ? "x\\n7" : contains(words, "-n2") ? "7\\n7" : "7";
  const Result r =
      sh("d=$(mktemp -d); mkfifo $d/in $d/out; exec 8<>$d/out; exec 9<>$d/in; "
         "\"$0\" " +
             words +
             " < $d/in > $d/out 8>&- 9>&- & "
             "printf '" +
             first + "\\n' >&9; read x <&8; echo \"$x\"; exec 9>&-; wait $!; echo $?; rm -r $d",
         {BULKHEAD_SQUARE_PLUGIN});
  CHECK(r.output == (contains(words, "call") ? "49\n0\n" : contains(words, "-n2") ? "7 7\n0\n" : "7\n0\n"));
}
