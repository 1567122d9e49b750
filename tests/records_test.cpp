// Records of any bytes and length, from several sources at once; tasks that come back.
#include "catch.hpp"

#include "records/records.hpp"
#include "records/task_source.hpp"
#include "words/usage_error.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

using namespace bulkhead::tool;
using Rows = std::vector<std::vector<std::string>>;

namespace {

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content) {
    static int number = 0;
    path_ = (std::filesystem::temp_directory_path() /
             ("bulkhead-records-" + std::to_string(reinterpret_cast<std::uintptr_t>(this)) + std::to_string(++number)))
                .string();
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<std::string> split(const std::string& content, const std::string& delimiter) {
  const TemporaryFile file(content);
  RecordReader reader(bulkhead::ByteSource::open(file.path()), delimiter);
  std::vector<std::string> records;
  std::string record;
  while (reader.next(record, true) == Fetch::record) records.push_back(record);
  return records;
}

Rows rows(const std::vector<std::string>& words) {
  RecordStream stream(part_sources(words).sources, RecordRules{});
  Rows all;
  std::vector<std::string> fields;
  while (stream.next(fields, true) == Fetch::record) all.push_back(fields);
  return all;
}

std::vector<std::string> sequence_of(TaskSource& source) {
  std::vector<std::string> seen;
  std::size_t index = 0;
  for (const Task& task : source.tasks()) {
    seen.push_back(std::to_string(task.sequence) + ":" + task.fields.front());
    source.take(index++);
  }
  return seen;
}

TaskSource source_of(const std::vector<std::string>& words, const TaskRules& rules = {}) {
  return TaskSource(RecordStream(part_sources(words).sources, RecordRules{}), rules);
}

}  // namespace

TEST_CASE("a last record needs no terminator, and empty ones count", "[records]") {
  using V = std::vector<std::string>;
  CHECK(split("", "\n").empty());
  CHECK(split("a", "\n") == V{"a"});
  CHECK(split("a\n", "\n") == V{"a"});
  CHECK(split("a\n\nb", "\n") == V{"a", "", "b"});
  CHECK(split("\n", "\n") == V{""});
  CHECK(split(std::string("a\nb\0c\xff\0", 7), std::string(1, '\0')) == V{"a\nb", "c\xff"});
  CHECK(split("a--b-c--", "--") == V{"a", "b-c"});
}

TEST_CASE("records are longer than any buffer, and delimiters lie across reads", "[records]") {
  const std::string large(300'001, 'x');
  CHECK(split(large + "\n" + large, "\n") == std::vector<std::string>{large, large});
  for (std::size_t length = 65'530; length < 65'542; ++length) {
    const std::string first(length, 'a');
    CHECK(split(first + "<end>b", "<end>") == std::vector<std::string>{first, "b"});
  }
}

TEST_CASE("several sources multiply, the last varies fastest", "[records]") {
  CHECK(rows({"c", ":::", "a", "b", ":::", "1", "2"}) == Rows{{"a", "1"}, {"a", "2"}, {"b", "1"}, {"b", "2"}});
  CHECK(rows({":::", "a", ":::", "1", "2", ":::", "x", "y"}).size() == 4);
  CHECK(rows({":::", "a", "b", ":::"}).empty());
  CHECK(rows({":::"}).empty());
}

TEST_CASE("linked sources are taken in step and stop at the shorter", "[records]") {
  CHECK(rows({":::", "a", "b", "c", ":::+", "1", "2"}) == Rows{{"a", "1"}, {"b", "2"}});
  CHECK(rows({":::", "a", "b", ":::+", "1", "2", ":::", "x", "y"}) ==
        Rows{{"a", "1", "x"}, {"a", "1", "y"}, {"b", "2", "x"}, {"b", "2", "y"}});
  const TemporaryFile file("1\n2\n3\n");
  CHECK(rows({":::", "a", "b", "::::+", file.path()}) == Rows{{"a", "1"}, {"b", "2"}});
  CHECK(rows({":::", "a", "b", "::::", file.path()}).size() == 6);
}

TEST_CASE("sources that make no sense are usage errors", "[records]") {
  CHECK_THROWS_AS(rows({":::+", "a"}), UsageError);
  CHECK_THROWS_AS(rows({"::::", "-", "-"}), UsageError);
  CHECK_THROWS_AS(rows({"::::", "/nonexistent/file"}), UsageError);
}

TEST_CASE("words before the first mark are the command", "[records]") {
  const CommandLine line = part_sources({"echo", "-n", ":::", "a", ":::+", "b", "::::", "f", "g"});
  CHECK(line.command == std::vector<std::string>{"echo", "-n"});
  REQUIRE(line.sources.size() == 4);
  CHECK(line.sources[1].linked);
  CHECK(line.sources[3].file == "g");
}

TEST_CASE("tasks are numbered from one", "[task_source]") {
  using V = std::vector<std::string>;
  TaskSource all = source_of({":::", "a", "", "b"});
  CHECK(all.total() == 3u);
  CHECK(sequence_of(all) == V{"1:a", "2:", "3:b"});
  TaskSource full = source_of({":::", "a", "", "b"}, {.skip_empty = true});
  CHECK(sequence_of(full) == V{"1:a", "2:b"});
}

TEST_CASE("several records make a task", "[task_source]") {
  TaskSource source = source_of({":::", "a", "b", "c"}, {.records_per_task = 2});
  CHECK(source.total() == 2u);
  std::vector<std::size_t> sizes;
  std::size_t index = 0;
  for (const Task& task : source.tasks()) {
    sizes.push_back(task.fields.size());
    source.take(index++);
  }
  CHECK(sizes == std::vector<std::size_t>{2, 1});
}

TEST_CASE("a seed repeats an order, and nothing is lost by shuffling", "[task_source]") {
  const std::vector<std::string> words{":::", "a", "b", "c", "d", "e", "f", "g"};
  TaskSource one = source_of(words, {.shuffle = 5}), two = source_of(words, {.shuffle = 5});
  const auto order = sequence_of(one);
  CHECK(order == sequence_of(two));
  CHECK(order.size() == 7);
}

TEST_CASE("a task that failed comes again, and only then is the end reached", "[task_source]") {
  TaskSource source = source_of({":::", "a"});
  auto it = source.tasks().begin();
  const Task first = *it;
  ++it;
  CHECK_FALSE(source.ready());  // its result decides whether this was all
  CHECK(source.wait_descriptor() == -1);
  source.again(source.take(0), std::chrono::milliseconds(0));
  REQUIRE(source.ready());
  CHECK((*it).attempt == 2);
  CHECK((*it).sequence == first.sequence);
  CHECK(source.at(1).attempt == 2);
  source.take(1);
  ++it;
  REQUIRE(source.ready());
  CHECK(it == std::default_sentinel);
}

TEST_CASE("a closed source hands out nothing more and gives back what waited", "[task_source]") {
  TaskSource source = source_of({":::", "a", "b", "c"});
  auto it = source.tasks().begin();
  static_cast<void>((*it).sequence);
  ++it;
  REQUIRE(source.ready());
  source.again(source.take(0), std::chrono::hours(1));
  CHECK(source.close().size() == 1);
  REQUIRE(source.ready());
  CHECK(it == std::default_sentinel);
  CHECK(source.handed_out() == 1);
}

TEST_CASE("a task that waits for its time is waited for by a descriptor", "[task_source]") {
  TaskSource source = source_of({":::", "a"});
  auto it = source.tasks().begin();
  static_cast<void>((*it).sequence);
  source.again(source.take(0), std::chrono::hours(1));
  ++it;
  CHECK_FALSE(source.ready());
  CHECK(source.wait_descriptor() >= 0);
}

TEST_CASE("tasks that were looked through are handed out, or held back when the source is closed", "[task_source]") {
  for (const int handed_out : {0, 1, 2}) {
    TaskSource source = source_of({":::", "a", "b", "c"});
    REQUIRE(source.look_through(3, [](const Task& task) { return task.sequence == 2; }));
    auto it = source.tasks().begin();
    for (int i = 0; i < handed_out; ++i, ++it) static_cast<void>((*it).sequence);
    CHECK(source.ready() == (handed_out < 2));  // the next one is fetched
    source.close();
    CHECK(source.held_back() == static_cast<std::size_t>(2 - handed_out));
    CHECK(source.skipped() == 1);
    CHECK(source.handed_out() == 3);
  }
}

TEST_CASE("the total is known when the end was met while looking through", "[task_source]") {
  TaskSource source(RecordStream({{.is_file = true, .file = "/dev/null"}}, RecordRules{}), {});
  CHECK_FALSE(source.total());
  CHECK_FALSE(source.look_through(5, [](const Task&) { return true; }));
  CHECK(source.total() == 0);
}

TEST_CASE("a record keeps its text where that is wanted", "[records]") {
  RecordRules rules{
      .column_separator = std::make_shared<const bulkhead::BytePattern>(", *"), .header = true, .keep_text = true};
  RecordStream stream(part_sources({":::", "x, y", "a,b", "c,  d", ":::", "z", "1"}).sources, rules);
  CHECK(stream.columns() == std::vector<std::string>{"x", "y", "z"});
  CHECK(stream.header_text() == "x, y\tz");
  std::vector<std::string> fields;
  REQUIRE(stream.next(fields, true) == Fetch::record);
  REQUIRE(stream.next(fields, true) == Fetch::record);
  CHECK(fields == std::vector<std::string>{"c", "d", "1"});
  CHECK(stream.text() == "c,  d\t1");
}
