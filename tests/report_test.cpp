// `bulkhead report`: the page is whole, loads nothing, and shows what is hostile as text. How it looks no test says.
#include "outside.hpp"

#include "logs/report_data.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

using namespace outside;
using nlohmann::json;

namespace {

const std::string hostile = "</script><script>document.title='owned'</script><!--<img src=x onerror=alert(1)>";

json data_of(const std::string& html) {
  const std::string begin = "id=\"data\">";
  const std::size_t at = html.find(begin) + begin.size();
  return json::parse(html.substr(at, html.find("</script>", at) - at));
}

// As the page's script does it.
std::vector<std::int64_t> unpacked(const std::string& text, std::size_t count) {
  const std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::size_t at = 0;
  const auto next = [&] {
    for (std::uint64_t value = 0, shift = 0;; shift += 5) {
      const std::uint64_t digit = digits.find(text.at(at++));
      value |= (digit & 31) << shift;
      if (digit < 32) return value;
    }
  };
  std::vector<std::int64_t> numbers;
  for (std::int64_t number = 0; numbers.size() < count;) {
    const std::uint64_t value = next();
    const auto length = static_cast<std::int64_t>(value >> 1);
    number += (value & 1) != 0 ? -length : length;
    numbers.insert(numbers.end(), 1 + (value == 0 ? next() : 0), number);
  }
  CHECK(at == text.size());
  return numbers;
}

struct Shown {
  std::int64_t seq = 0;
  std::string record, ending, words;
};

std::vector<Shown> rows_of(const json& data, const std::string& table) {
  const json& packed = data.at(table);
  const auto column = [&](const char* name) { return unpacked(packed.at(name), packed.at("count")); };
  const auto seq = column("seq"), kind = column("kind"), shared = column("shared");
  std::vector<Shown> rows;
  for (std::size_t i = 0; i < seq.size(); ++i) {
    const std::string before = rows.empty() ? "" : rows.back().record;
    const json& ending = data.at("kinds").at(static_cast<std::size_t>(kind[i]));
    rows.push_back({seq[i] + static_cast<std::int64_t>(i) + 1,
                    before.substr(0, static_cast<std::size_t>(shared[i])) + packed.at("rests").at(i).get<std::string>(),
                    ending.at(0), ending.at(1)});
  }
  return rows;
}

std::string report_of(const Directory& directory, const std::string& events, const Words& options = {}) {
  Words words{"report", directory / events, "-o", directory / "page.html"};
  words.insert(words.end(), options.begin(), options.end());
  const Result result = invoke(words);
  INFO(result.error);
  CHECK(result.status == 0);
  CHECK(result.output.empty());
  return directory.read("page.html");
}

}  // namespace

TEST_CASE("report: columns of numbers survive being packed", "[report]") {
  const std::vector<std::int64_t> numbers =
      GENERATE(std::vector<std::int64_t>{}, std::vector<std::int64_t>{0}, std::vector<std::int64_t>{0, 0, 0, 5, 5, 4},
               std::vector<std::int64_t>{-1, -1, 16, 15, 1'000'000'000'000, -31, -32, -33, 7, 7});
  CHECK(unpacked(bulkhead::tool::packed(numbers), numbers.size()) == numbers);
}

TEST_CASE("report: one page that loads nothing, and nothing in a record is markup", "[report]") {
  const Directory directory;
  CHECK(run({"-q", "--events", directory / "events", "--joblog", directory / "<jobs>", "-c",
             "echo '<b>' >&2; test {} = x || kill -SEGV $$", ":::", "x", hostile, "\xff\xfe\"\n"})
            .status == 1);
  const std::string html = report_of(directory, "events");
  CHECK(contains(html, "CRASH SIGSEGV"));
  CHECK(contains(html, "default-src 'none'"));
  CHECK_FALSE(contains(html, "@style@"));
  CHECK_FALSE(contains(html, "@script@"));
  for (const std::string outside : {"<script>document", "<!--", "<img", "<b>", "http:", "https:", "src=\"",
                                    "href=", "@import", "url(", "innerHTML"})
    CHECK_FALSE(contains(html, outside));
  const json data = data_of(html);
  CHECK(data.at("joblog") == directory / "<jobs>");
  CHECK(data.at("finished") == true);
  const std::vector<Shown> tasks = rows_of(data, "tasks");
  REQUIRE(tasks.size() == 3);
  CHECK(tasks[0].ending == "ok");
  CHECK(tasks[1].record == hostile);
  CHECK(tasks[1].words == "CRASH SIGSEGV");
  CHECK(tasks[2].record == "\uFFFD\uFFFD\"\n");
}

TEST_CASE("report: every task is there, by its number, with its record, and every attempt before the last",
          "[report]") {
  const Directory directory;
  Words words{"-q", "-j3", "--retries", "1", "--events", directory / "events", "-c", "test {} != naïve日本7", ":::"};
  for (int i = 1; i <= 200; ++i) words.push_back((i % 2 != 0 ? "naïve日本" : "file_") + std::to_string(i));
  CHECK(run(words).status == 1);
  const json data = data_of(report_of(directory, "events"));
  const std::vector<Shown> tasks = rows_of(data, "tasks"), lost = rows_of(data, "lost");
  REQUIRE(tasks.size() == 200);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    CHECK(tasks[i].seq == static_cast<std::int64_t>(i) + 1);
    CHECK(tasks[i].record == words[i + 9]);
    CHECK(tasks[i].ending == (i == 6 ? "failed" : "ok"));
  }
  REQUIRE(lost.size() == 1);
  CHECK(lost[0].seq == 7);
}

TEST_CASE("report: a run without an end, its last line torn: what is known, and what was in hand", "[report]") {
  const Directory directory;
  CHECK(run({"-q", "-j1", "--events", directory / "events", "true", ":::", "a", "b"}).status == 0);
  const std::string whole = directory.read("events");
  directory.write("torn", whole.substr(0, whole.rfind("{\"event\":\"task_finished\"") + 30));
  const json data = data_of(report_of(directory, "torn"));
  CHECK(data.at("torn") == true);
  CHECK(data.at("finished") == false);
  const std::vector<Shown> tasks = rows_of(data, "tasks");
  REQUIRE(tasks.size() == 2);
  CHECK(tasks[0].ending == "ok");
  CHECK(tasks[1].ending == "unfinished");
  CHECK(tasks[1].record == "b");

  directory.write("no newline", whole.substr(0, whole.size() - 1));
  CHECK(data_of(report_of(directory, "no newline")).at("torn") == false);
}

TEST_CASE("report: of several runs in a file the last, or the one asked for", "[report]") {
  const Directory directory;
  CHECK(run({"-q", "--events", directory / "one", "true", ":::", "a", "b"}).status == 0);
  CHECK(run({"-q", "--events", directory / "two", "true", ":::", "c"}).status == 0);
  directory.write("both", directory.read("one") + directory.read("two"));
  const json last = data_of(report_of(directory, "both")),
             first = data_of(report_of(directory, "both", {"--run", "1"}));
  CHECK(last.at("of") == 2);
  CHECK(last.at("number") == 2);
  CHECK(rows_of(last, "tasks").size() == 1);
  CHECK(first.at("of") == 2);
  CHECK(first.at("number") == 1);
  CHECK(rows_of(first, "tasks").size() == 2);
  const std::string number = GENERATE("0", "3", "x", "-1");
  const Result refused = invoke({"report", directory / "both", "-o", directory / "page.html", "--run", number});
  CHECK(refused.status == 2);
  CHECK(contains(refused.error, "--run"));
}

TEST_CASE("report: a line that is no event is named, and no other file is taken for events", "[report]") {
  const Directory directory;
  CHECK(run({"-q", "--events", directory / "events", "true", ":::", "a", "b"}).status == 0);
  const std::string whole = directory.read("events"), start = whole.substr(0, whole.find('\n') + 1);
  const auto refused = [&](const std::string& text) {
    directory.write("broken", text);
    const Result r = invoke({"report", directory / "broken", "-o", directory / "page.html"});
    CHECK(r.status == 2);
    CHECK(contains(r.error, directory / "broken"));
    CHECK_FALSE(std::filesystem::exists(directory / "page.html"));
    return r.error;
  };
  CHECK(contains(refused(start + "{\"event\":\"task_fin\n" + whole), "line 2 "));
  CHECK(contains(refused(start + start + "\n" + start), "line 3 "));
  CHECK(contains(refused(start + "{\"event\":\"task_finished\",\"seq\":\"1\"}\n"), "\"seq\" is a text"));
  CHECK(contains(refused(start + "{\"event\":\"task_finished\",\"seq\":1}\n"), "\"ending\""));
  for (const std::string other : {"[1,2]\n", "7\n", "\"x\"\n", "null\n", "{}\n",
                                  "\x7f"
                                  "ELF\n"})
    CHECK(contains(refused(other), "line 1 "));
  CHECK(contains(refused("{\"event\":\"task_started\",\"seq\":1}\n"), "line 1 "));
  CHECK(contains(refused("{\"event\":\"run_started\",\"version\":2}\n"), "version"));
  refused("");
}

TEST_CASE("report: words that it cannot follow, a page that cannot be written", "[report]") {
  const Directory directory;
  CHECK(run({"-q", "--events", directory / "events", "true", ":::", "a"}).status == 0);
  const std::string events = directory / "events", page = directory / "page.html", before = directory.read("events");
  CHECK(invoke({"report", events, "-o", "/dev/full"}).status == 5);
  const Result itself = invoke({"report", events, "-o", directory / "./events"});
  CHECK(itself.status == 2);
  CHECK(contains(itself.error, "-o"));
  CHECK(directory.read("events") == before);
  for (const Words& words : std::vector<Words>{{"report"},
                                               {"report", events},
                                               {"report", events, "-o"},
                                               {"report", events, events, "-o", page},
                                               {"report", events, "-o", page, "--run"},
                                               {"report", events, "-o", page, "--runs"},
                                               {"report", directory / "missing", "-o", page},
                                               {"report", directory.path(), "-o", page}})
    CHECK(invoke(words).status == 2);
  CHECK(contains(invoke({"report", "--help"}).output, "--run"));
}

namespace {

std::string browser() {
  const Result found = sh("command -v chromium || command -v chromium-browser || command -v google-chrome || true");
  return found.output.substr(0, found.output.find('\n'));
}

// The page after its scripts, and everything that they or the browser had to say to its console.
Result browse(const Directory& directory, const std::string& page) {
  return sh(
      "HOME=\"$2\" exec \"$1\" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run "
      "--disable-background-networking --enable-logging=stderr --user-data-dir=\"$2/profile\" "
      "--virtual-time-budget=5000 --dump-dom \"file://$2/$3\"",
      {browser(), directory.path(), page});
}

// As a visitor would: searches, opens the task that is found, looks closer at the time line.
const std::string visit = R"(<script>
  const press = (at, key) => at.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  press(document.body, '/');
  document.activeElement.value = '#2 crash';
  document.getElementById('filter').requestSubmit();
  document.activeElement.click();
  press(document.getElementById('timeline'), '+');
  document.body.dataset.visited = document.getElementById('found').textContent + ', ' +
    document.getElementById('details').open + ', ' + document.getElementById('whole').disabled;
</script></body>)";

}  // namespace

TEST_CASE("report: in a browser the page's script comes to its end, and what is hostile stays text", "[report]") {
  if (browser().empty()) {
    WARN("skipped: there is no chromium here to look at the page with");
    return;
  }
  const Directory directory;
  CHECK(run({"-q", "-j2", "--retries", "1", "--events", directory / "events", "-c",
             "echo '<img src=x>' >&2; test {} = x || kill -SEGV $$", ":::", "x", hostile, "x"})
            .status == 1);
  const std::string html = report_of(directory, "events");
  const std::size_t end = html.rfind("</body>");
  directory.write("visited.html", html.substr(0, end) + visit + html.substr(end + 7));
  for (const std::string page : {"page.html", "visited.html"}) {
    const Result seen = browse(directory, page);
    INFO(page << ": " << seen.error);
    CHECK(seen.status == 0);
    CHECK_FALSE(contains(seen.error, "CONSOLE"));
    CHECK(contains(seen.output, "data-drawn=\"yes\""));
    CHECK(contains(seen.output, "<title>1 of 3 tasks did not succeed: 1 crashed"));
    CHECK(contains(seen.output, "&lt;script&gt;document.title='owned'"));
    CHECK_FALSE(contains(seen.output, "<script>document"));
    CHECK_FALSE(contains(seen.output, "<img"));
    if (page == "visited.html") CHECK(contains(seen.output, "data-visited=\"1 of 3 tasks, true, false\""));
  }
}

TEST_CASE("report: a run without tasks, and one that had only begun, are drawn as well", "[report]") {
  if (browser().empty()) {
    WARN("skipped: there is no chromium here to look at the page with");
    return;
  }
  const Directory directory;
  CHECK(run({"-q", "--events", directory / "events", "-a", "/dev/null", "true"}).status == 0);
  const std::string whole = directory.read("events");
  directory.write("begun", whole.substr(0, whole.find('\n') + 1));
  for (const std::string events : {"events", "begun"}) {
    report_of(directory, events);
    const Result seen = browse(directory, "page.html");
    INFO(events << ": " << seen.error);
    CHECK_FALSE(contains(seen.error, "CONSOLE"));
    CHECK(contains(seen.output, "data-drawn=\"yes\""));
  }
}
