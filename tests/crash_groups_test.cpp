// Failures that are the same one are counted together, by where they happened and not by what the input was.
#include <bulkhead/crash_groups.hpp>

#include "catch.hpp"

#include <csignal>
#include <string>
#include <vector>

using namespace bulkhead;

namespace {

Failure crash(std::vector<std::string> backtrace, int signal = SIGSEGV) {
  Failure failure;
  failure.ending = Ending::crashed;
  failure.signal = signal;
  failure.backtrace = std::move(backtrace);
  return failure;
}

Failure thrown(const std::string& type, const std::string& what) {
  Failure failure;
  failure.ending = Ending::exception;
  failure.type = type;
  failure.what = what;
  return failure;
}

std::vector<CrashGroup> grouped(const std::vector<Failure>& failures, CrashGroups groups = CrashGroups()) {
  for (std::size_t i = 0; i < failures.size(); ++i) groups.add(i, failures[i], 100);
  return groups.by_count();
}

}  // namespace

TEST_CASE("equal stacks form one group, counted, with its smallest input", "[crash_groups]") {
  CrashGroups groups;
  groups.add(1, crash({"parse+0x12", "load+0x30", "main+0x5"}), 400);
  groups.add(2, crash({"draw+0x8", "main+0x9"}), 1);
  groups.add(3, crash({"parse+0x1c (parse.cpp:31)", "load+0x30 (load.cpp:7)", "main+0x5"}), 30);
  groups.add(4, crash({"parse+0x12", "load+0x30", "main+0x5"}), 30);
  const auto found = groups.by_count();
  REQUIRE(found.size() == 2);
  CHECK(found[0].title == "SIGSEGV at parse under load");
  CHECK(found[0].count == 3);
  CHECK(found[0].example_bytes == 30);
  CHECK(found[0].example_task == 3);
  CHECK(found[0].example.backtrace[0] == "parse+0x1c (parse.cpp:31)");
  CHECK(found[1].title == "SIGSEGV at draw under main");
  CHECK(found[1].count == 1);
}

TEST_CASE("no failures, no groups", "[crash_groups]") { CHECK(CrashGroups().by_count().empty()); }

TEST_CASE("signal, ending, exit code and exception type keep groups apart, words do not", "[crash_groups]") {
  Failure left;
  left.ending = Ending::exited;
  left.exit_code = 3;
  Failure left_well = left;
  left_well.exit_code = 0;
  Failure late;
  late.ending = Ending::timed_out;
  const auto found = grouped({crash({"f+0x1"}), crash({"f+0x1"}, SIGABRT), left, left_well, late,
                              thrown("std::runtime_error", "row 1"), thrown("std::runtime_error", "row 2"),
                              thrown("std::logic_error", "row 1"), crash({}), late, late});
  REQUIRE(found.size() == 8);
  CHECK(found[0].title == "timed out");
  CHECK(found[0].count == 3);
  CHECK(found[1].title == "std::runtime_error");
  CHECK(found[1].count == 2);
  CHECK(found[1].example.what == "row 1");
  CHECK(found[2].title == "SIGSEGV at f");
  CHECK(found[3].title == "SIGABRT at f");
  CHECK(found[4].title == "exited with code 3 in the middle of the task");
  CHECK(found[7].title == "SIGSEGV");
}

TEST_CASE("where code has no name, its place in the module stands for one", "[crash_groups]") {
  const auto found =
      grouped({crash({"libfoo.so+0x10", "run+0x1"}), crash({"libfoo.so+0x10", "run+0x2"}),
               crash({"libfoo.so+0x20", "run+0x1"}), crash({"0x7f0012340000", "run+0x1"}), crash({"0x12", "run+0x1"})});
  REQUIRE(found.size() == 3);
  CHECK(found[0].title == "SIGSEGV at libfoo.so+0x10 under run");
  CHECK(found[1].title == "SIGSEGV at an address without code under run");
  CHECK(found[1].count == 2);
  CHECK(found[2].count == 1);
}

TEST_CASE("a stack overflow is one group however deep it was noted", "[crash_groups]") {
  std::vector<std::string> deep(40, "descend+0x44"), deeper(48, "descend+0x44");
  deep.push_back("main+0x1");
  deeper.front() = "descend+0x10";
  const auto found = grouped({crash(deep), crash({"descend+0x1", "main+0x1"}), crash(deeper)});
  REQUIRE(found.size() == 2);  // the deepest was cut before it came to main
  CHECK(found[0].count == 2);
  CHECK(found[0].title == "SIGSEGV at descend under main");
}

TEST_CASE("only the innermost frames count, as many as were asked for", "[crash_groups]") {
  const std::vector<Failure> two{crash({"a+0x1", "b+0x1", "c+0x1"}), crash({"a+0x1", "b+0x1", "d+0x1"})};
  CHECK(grouped(two, CrashGroups(2)).size() == 1);
  CHECK(grouped(two, CrashGroups(3)).size() == 2);
  CHECK(grouped(two, CrashGroups(0)).size() == 1);
}

TEST_CASE("memory is bounded: what is one group too many is counted with the others", "[crash_groups]") {
  CrashGroups groups(5, 2);
  for (std::uint64_t task = 0; task < 1000; ++task)
    groups.add(task, crash({"f" + std::to_string(task % 100) + "+0x1"}), 1000 - task);
  const auto found = groups.by_count();
  REQUIRE(found.size() == 3);
  CHECK(found[0].count == 10);
  CHECK(found[1].count == 10);
  CHECK(found[2].title == "others");
  CHECK(found[2].count == 980);
  CHECK(found[2].example_task == 999);
}
