// What `bulkhead run` keeps a program from, and how it ends one: each option through the built program.
#include "outside.hpp"

#include "os/tree_usage.hpp"
#include "rules/term_sequence.hpp"
#include "words/quantity.hpp"

#include <bulkhead/command.hpp>

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace std::chrono_literals;
using namespace outside;

namespace {

// One task that is a shell command line.
Result run_script(Words options, const std::string& script) {
  options.insert(options.begin(), "run");
  options.insert(options.end(), {"sh", "-c", script, ":::", "x"});
  return invoke(std::move(options));
}

const std::string take_memory = "exec python3 -c 'import time; x = bytearray(300 << 20); time.sleep(60)'";

}  // namespace

TEST_CASE("option --mem-max ends a program that takes more", "[limits-of-programs]") {
  const Result r = run_script({"--mem-max", "100M"}, take_memory);
  CHECK(r.status == 1);
  CHECK(contains(r.error, "1 out of memory"));
  CHECK(contains(r.error, "  OOM "));
  CHECK(contains(r.error, " of 100 MiB"));
  CHECK(r.ran < 60s);  // it was ended
  CHECK(run_script({"--mem-max", "2GiB"}, "true").status == 0);
}

TEST_CASE("option --mem-max counts all processes of a task, those that left its group too", "[limits-of-programs]") {
  const std::string one = "python3 -c 'import time; x = bytearray(120 << 20); time.sleep(60)' & ";
  const Result r = run_script({"--mem-max", "200M"}, one + "setsid " + one + "wait");
  CHECK(r.status == 1);
  CHECK(contains(r.error, "  OOM "));
  CHECK(r.ran < 60s);
}

TEST_CASE("option --mem-max sees a peak that was too short to be looked at", "[limits-of-programs]") {
  for (int i = 0; i < 5; ++i) {
    const Result r = run_script({"--mem-max", "20M"}, "exec dd if=/dev/zero of=/dev/null bs=30M count=1");
    CHECK(r.status == 1);
    CHECK(contains(r.error, " of 20 MiB"));
  }
}

TEST_CASE("option --mem-max does not count a mapped file, however short the program", "[limits-of-programs]") {
  const std::string make = "f=$(mktemp); trap 'rm -f $f' EXIT; head -c 100000000 /dev/zero > $f; ";
  const std::string read_it =
      "python3 -c 'import mmap, sys; f = open(sys.argv[1], \"rb\"); "
      "m = mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ); m[::4096]' $f";
  for (int i = 0; i < 3; ++i) {
    const Result r = run_script({"--mem-max", "60M"}, make + read_it);
    INFO(r.error);
    CHECK(r.status == 0);
  }
}

TEST_CASE("what a peak can have had of its own follows from its faults", "[limits-of-programs]") {
  constexpr std::uint64_t page = 4096;
  if (::sysconf(_SC_PAGESIZE) != page) return;
  CHECK(os::private_part_of(1600 * page, 1600) == 1600 * page);  // each page for itself
  CHECK(os::private_part_of(1600 * page, 100) == 0);             // sixteen at a time
  CHECK(os::private_part_of(1600 * page, 850) == 800 * page);    // 800, and 800 of a file
  CHECK(os::private_part_of(0, 100) == 0);
  CHECK(os::private_part_of(1600 * page, 0) == 0);
}

TEST_CASE("option --cpu-time ends a program that computes longer, and not one that sleeps", "[limits-of-programs]") {
  const Result r = run_script({"--cpu-time", "300ms"}, "(while :; do :; done) & wait");
  CHECK(r.status == 1);
  CHECK(contains(r.error, "  CPU 0.3"));
  CHECK(contains(r.error, "s of 300ms"));
  CHECK(contains(r.error, "1 failed"));
  CHECK(run_script({"--cpu-time", "300ms"}, "sleep 0.5").status == 0);
}

TEST_CASE("option --fsize keeps files small", "[limits-of-programs]") {
  const std::string file = "f=$(mktemp); trap 'rm -f $f' EXIT; ";
  const Result direct = run_script({"--fsize", "1MiB"}, file + "head -c 3000000 /dev/zero > $f");
  CHECK(direct.status == 1);
  CHECK(contains(direct.error, "  FSIZE over 1 MiB"));
  // python3 ignores the signal and says what the system told it
  const Result told = run_script({"--fsize", "1MiB"},
                                 "exec python3 -c 'import tempfile; f = tempfile.TemporaryFile(); "
                                 "f.write(bytes(3000000)); f.flush()'");
  CHECK(contains(told.error, "  FSIZE over 1 MiB"));
  CHECK(run_script({"--fsize", "1MiB"}, file + "head -c 1000000 /dev/zero > $f").status == 0);
}

TEST_CASE("option --nofile limits descriptors, and is named where it was met", "[limits-of-programs]") {
  const std::string opens = "exec python3 -c 'f = [open(\"/dev/null\") for i in range(60)]'";
  const Result r = run_script({"--nofile", "32"}, opens);
  CHECK(r.status == 1);
  CHECK(contains(r.error, "  NOFILE over 32"));
  CHECK(run_script({"--nofile", "128"}, opens).status == 0);
}

TEST_CASE("option --output-max ends a program that writes more", "[limits-of-programs]") {
  for (const Words& mode : {Words{}, Words{"--line-buffer"}}) {
    Words options = mode;
    options.insert(options.end(), {"--output-max", "1MiB"});
    const Result r = run_script(options, "(yes >&2) & yes; sleep 30");
    CHECK(r.status == 1);
    CHECK(contains(r.error, "  OUTPUT over 1 MiB"));
    CHECK(r.output.size() + r.error.size() < 4 << 20);
  }
  CHECK(contains(run_script({"--output-max", "10"}, "echo 0123456789").error, "  OUTPUT over 10 bytes"));
  CHECK(run_script({"--output-max", "11"}, "echo 0123456789").status == 0);
  const Result refused = run_script({"--output-max", "1MiB", "-u"}, "true");
  CHECK(refused.status == 2);
  CHECK(contains(refused.error, "--ungroup"));
}

TEST_CASE("option --term-seq says which signals come, and when", "[limits-of-programs]") {
  const Result r =
      run_script({"--timeout", "1s", "--term-seq", "INT,300ms,SIGUSR1,300ms,9"},
                 "trap 'echo int' INT; trap 'echo usr1' USR1; trap 'echo term' TERM; while :; do sleep 0.05; done");
  CHECK(r.output == "int\nusr1\n");
  CHECK(contains(r.error, "  TIMEOUT 1s"));
  CHECK(r.ran >= 1600ms);
}

TEST_CASE("option --term-seq leaves a program its whole time", "[limits-of-programs]") {
  const Result r = run_script({"--timeout", "1s", "--term-seq", "TERM,10s"},
                              "trap 'sleep 3.5; echo done; exit' TERM; "
                              "while :; do sleep 0.05; done");
  CHECK(r.output == "done\n");
}

TEST_CASE("option --term-seq reaches what left the group, and gives it the time", "[limits-of-programs]") {
  const std::string leaver = "trap \"sleep 0.3; echo left; exit\" TERM; while :; do sleep 0.05; done";
  const Result r = run_script({"--timeout", "1s"}, "setsid sh -c '" + leaver + "' & wait");
  CHECK(r.output == "left\n");
  const Result stopped =
      run_script({"--timeout", "1s"}, "setsid sh -c 'trap \"echo left; exit\" TERM; kill -STOP $$' & wait");
  CHECK(stopped.output == "left\n");
}

TEST_CASE("limits and sequences that cannot be meant are refused by name", "[limits-of-programs]") {
  for (const char* option : {"--term-seq", "--mem-max", "--cpu-time", "--fsize", "--nofile", "--output-max"}) {
    const Result r = run_script({option, "0"}, "true");
    CHECK(r.status == 2);
    CHECK(contains(r.error, option));
  }
  const Result r = invoke({"call", "--term-seq", "INT,1s,KILL", BULKHEAD_SQUARE_PLUGIN, ":::", "2"});
  CHECK(r.status == 2);
  CHECK(contains(r.error, "--term-seq"));
  CHECK(invoke({"call", "--term-seq", "TERM,1s,KILL", BULKHEAD_SQUARE_PLUGIN, ":::", "2"}).status == 0);
}

TEST_CASE("call: --output-max is the largest result", "[limits-of-programs]") {
  CHECK(invoke({"call", "--output-max", "1M", "--mem-max", "1G", "--nofile", "256", "--fsize", "1M", "--cpu-time",
                "10s", BULKHEAD_SQUARE_PLUGIN, ":::", "2"})
            .status == 0);
  const Result r = invoke({"call", "--output-max", "1", BULKHEAD_SQUARE_PLUGIN, ":::", "20000"});
  CHECK(r.status == 1);
  CHECK(contains(r.error, "  OUTPUT over 1 bytes"));
}

TEST_CASE("a program reads the bytes it was given", "[limits-of-programs]") {
  std::string bytes(300'000, 'x');
  bytes += std::string("\0end", 4);
  CHECK(execute({.arguments = {"cat"}, .input = bytes}).output == bytes);
  CHECK(execute({.arguments = {"cat"}}).output.empty());
}

TEST_CASE("sequences and sizes as people write them", "[limits-of-programs]") {
  const auto steps = tool::parse_term_sequence("TERM,2s,SIGINT,500ms,2,1");
  REQUIRE(steps);
  REQUIRE(steps->size() == 4);
  CHECK((*steps)[1].signal == SIGINT);
  CHECK((*steps)[2].signal == 2);
  CHECK((*steps)[2].wait == 1s);
  CHECK((*steps)[3].signal == SIGKILL);
  CHECK(tool::whole_wait(*steps) == 3500ms);
  for (const char* wrong : {"", "10s,KILL", "TERM,,KILL", "TERM,1s,2s", "NOSUCH", "TERM,", "99"})
    CHECK_FALSE(tool::parse_term_sequence(wrong));
  CHECK(tool::parse_size("512M") == 512u << 20);
  CHECK(tool::parse_size("2GiB") == std::uint64_t{2} << 30);
  CHECK(tool::parse_size("10KB") == 10'000);
  CHECK(tool::parse_size("1.5k") == 1536);
  CHECK(tool::parse_size("0.0005k") == 1);  // to the nearest
  CHECK(tool::parse_size("4503599627370497") == 4503599627370497);
  CHECK(tool::format_size(1023) == "1023 bytes");
  CHECK(tool::format_size(1536) == "1.5 KiB");
  CHECK(tool::format_size((1u << 20) - 1) == "1024 KiB");
  CHECK(tool::format_size(std::uint64_t{3} << 30) == "3 GiB");
  CHECK_FALSE(tool::parse_size(std::string(400, '9')));
  for (const char* wrong : {"", "M", "1X", "1 M", "-1", "1MiBs", "1e3", "99999P"}) CHECK_FALSE(tool::parse_size(wrong));
  CHECK(tool::format_size(2'254'857'830) == "2.1 GiB");
  CHECK(tool::format_size(1 << 20) == "1 MiB");
  CHECK(tool::format_size(100) == "100 bytes");
}
