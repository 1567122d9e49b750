// The job log: lines that stay lines, and a tail that was torn at any byte.
#include "catch.hpp"

#include "logs/joblog.hpp"
#include "logs/joblog_history.hpp"
#include "words/usage_error.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

using namespace bulkhead::tool;

namespace {

class LogFile {
 public:
  LogFile()
      : path_((std::filesystem::temp_directory_path() /
               ("bulkhead-joblog-" + std::to_string(reinterpret_cast<std::uintptr_t>(this))))
                  .string()) {}
  ~LogFile() { std::remove(path_.c_str()); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  const std::string& path() const { return path_; }
  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }

 private:
  std::string path_;
};

JobLogEntry entry(std::uint64_t sequence, std::string command = "true") {
  return {.sequence = sequence,
          .started = std::chrono::milliseconds(1'700'000'000'123),
          .ran = std::chrono::milliseconds(1500),
          .received = 12,
          .exit_code = 3,
          .signal = 0,
          .command = std::move(command)};
}

}  // namespace

TEST_CASE("an entry is one line of nine columns, whatever the command holds", "[joblog]") {
  CHECK(format_entry(entry(7)) == "7\t:\t1700000000.123\t1.500\t0\t12\t3\t0\ttrue\n");
  for (const char* command : {"a\tb", "a\nb", "a\\nb", "", "\xff", "\\"}) {
    const std::string line = format_entry(entry(1, command));
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(std::count(line.begin(), line.end(), '\t') == 8);
  }
  CHECK(format_entry(entry(1, "a\t\n\\")).ends_with("\ta\\t\\n\\\\\n"));
}

TEST_CASE("a new log begins with GNU parallel's header", "[joblog]") {
  const LogFile file;
  JobLog(file.path()).append(entry(1));
  CHECK(file.content() ==
        "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n" + format_entry(entry(1)));
}

TEST_CASE("a log that was torn at any byte is continued behind its last whole line", "[joblog]") {
  const LogFile file;
  {
    JobLog log(file.path());
    log.append(entry(1));
    log.append(entry(2, std::string(200'000, 'x')));
    log.append(entry(3));
  }
  const std::string whole = file.content();
  const std::size_t first_end = whole.find('\n', whole.find('\n') + 1) + 1;
  for (std::size_t cut = 0; cut <= whole.size(); cut += cut < 200 || cut + 100 > whole.size() ? 1 : 9973) {
    file.write(whole.substr(0, cut));
    JobLog(file.path()).append(entry(9));
    const std::string now = file.content();
    const std::size_t keep = cut == 0 ? 0 : whole.rfind('\n', cut - 1) + 1;  // npos + 1: nothing
    const std::string expected = keep == 0 ? whole.substr(0, whole.find('\n') + 1) : whole.substr(0, keep);
    INFO("cut at " << cut << ", first line ends at " << first_end);
    REQUIRE(now == expected + format_entry(entry(9)));
  }
}

TEST_CASE("a last line with too few columns does not count", "[joblog]") {
  const LogFile file;
  JobLog(file.path()).append(entry(1));
  const std::string whole = file.content();
  file.write(whole + "2\t:\t17\n");
  JobLog(file.path()).append(entry(2));
  CHECK(file.content() == whole + format_entry(entry(2)));
}

TEST_CASE("a file that is no job log is not touched", "[joblog]") {
  const LogFile file;
  const std::string precious = "my only copy\n";
  file.write(precious);
  CHECK_THROWS_AS(JobLog(file.path()), UsageError);
  CHECK(file.content() == precious);
}

TEST_CASE("a log in use is refused", "[joblog]") {
  const LogFile file;
  std::optional<JobLog> first(file.path());
  CHECK_THROWS_AS(JobLog(file.path()), UsageError);
  first.reset();
  CHECK_NOTHROW(JobLog(file.path()));
}

TEST_CASE("a log that cannot be written says which", "[joblog]") {
  CHECK_THROWS_WITH(JobLog("/nonexistent/log"), Catch::Matchers::Contains("/nonexistent/log"));
}

TEST_CASE("the history of a log takes memory by its lines, whatever they say", "[joblog]") {
  const LogFile file;
  {
    JobLog log(file.path());
    for (const std::uint64_t sequence : {1, 3, 2}) log.append(entry(sequence, "c" + std::to_string(sequence)));
    JobLogEntry again = entry(3, "c3");
    again.exit_code = 0;
    log.append(again);
  }
  CHECK(JobLogHistory(file.path()).last() == 3);
  CHECK_FALSE(JobLogHistory(file.path()).succeeded(2));
  CHECK(JobLogHistory(file.path()).succeeded(3));
  CHECK(JobLogHistory(file.path()).matches(1, "c1"));
  CHECK_FALSE(JobLogHistory(file.path()).matches(1, "c2"));
  CHECK_FALSE(JobLogHistory(file.path()).logged(4));
  CHECK_FALSE(JobLogHistory(file.path()).damaged());
  JobLog(file.path()).append(entry(18'000'000'000'000'000'000u, "c"));
  const JobLogHistory history(file.path());
  CHECK(history.last() == 3);
  CHECK(history.damaged() == 18'000'000'000'000'000'000u);
  CHECK(logged_line(file.path(), 18'000'000'000'000'000'000u) == 6);
}
