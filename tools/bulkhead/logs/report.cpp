#include "logs/report.hpp"

#include "words/usage_error.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace bulkhead::tool {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* usage = R"(Makes one self-contained page of a finished run, from what --events has written.

  bulkhead run --events run.ndjson ...
  bulkhead report run.ndjson -o run.html

Usage: bulkhead report EVENTS.ndjson -o PAGE.html

The page needs no network and loads nothing. A last line that is torn, as a killed run leaves it, is left out.
)";

struct Arguments {
  std::string events, page;
};

Arguments understand(const std::vector<std::string>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "-o" || word == "--output") {
      if (i + 1 == words.size()) throw UsageError("report: " + word + " needs a value");
      arguments.page = words[++i];
    } else if (word.starts_with("--output=")) {
      arguments.page = word.substr(9);
    } else if (word.starts_with("-") && word.size() > 1) {
      throw UsageError("report: there is no option " + word + "; write bulkhead report EVENTS.ndjson -o PAGE.html");
    } else if (!arguments.events.empty()) {
      throw UsageError("report: one file of events and no more; there is \"" + word + "\" too");
    } else {
      arguments.events = word;
    }
  }
  if (arguments.events.empty())
    throw UsageError("report: name the file that --events has written: bulkhead report EVENTS.ndjson -o PAGE.html");
  if (arguments.page.empty()) throw UsageError("report: say where the page goes: -o PAGE.html");
  return arguments;
}

// Each text once, and its number wherever it stands: a hundred thousand tasks end in few different words.
class Dictionary {
 public:
  std::size_t number_of(const std::string& text) {
    const auto [place, added] = numbers_.emplace(text, texts_.size());
    if (added) texts_.push_back(text);
    return place->second;
  }
  const std::vector<std::string>& texts() const noexcept { return texts_; }

 private:
  std::unordered_map<std::string, std::size_t> numbers_;
  std::vector<std::string> texts_;
};

std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  text.resize(limit);
  return text + "...";
}

// What the page is drawn from. A row is an array: the names of its fields, repeated, would be most of the page.
class PageData {
 public:
  void add(const Json& event) {
    const std::string kind = event.at("event").get<std::string>();
    if (kind == "run_started") {
      begin_ = event.at("time").get<double>();
      run_ = event;
    } else if (kind == "run_finished") {
      end_ = event;
    } else if (kind == "task_finished") {
      tasks_.push_back(row(event));
    } else if (kind == "attempt_lost") {
      lost_.push_back(row(event));
    } else if (kind == "worker_died") {
      ++workers_died_;
    }
  }

  std::string text() {
    const Json data{{"run", run_},
                    {"end", end_},
                    {"workers_died", workers_died_},
                    {"endings", endings_.texts()},
                    {"words", words_.texts()},
                    {"stacks", stacks_.texts()},
                    {"tails", tails_.texts()},
                    {"tasks", std::move(tasks_)},
                    {"lost", std::move(lost_)}};
    return data.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

 private:
  // seq, attempt, slot, started and ran (milliseconds), ending, words, stack, tail, bytes (-1: not known), rss, record.
  Json row(const Json& event) {
    std::string stack;
    for (const Json& frame : event.at("backtrace"))
      stack += (stack.empty() ? "" : "\n") + cut(frame.get<std::string>(), 300);
    const auto milliseconds = [](double seconds) { return std::round(seconds * 1e6) / 1e3; };
    const double started = event.at("started").get<double>();
    const Json& bytes = event.at("output_bytes");
    Json fields = Json::array();
    fields.push_back(event.at("seq").get<std::uint64_t>());
    fields.push_back(event.at("attempt").get<unsigned>());
    fields.push_back(event.at("slot").get<int>());
    fields.push_back(started > 0 ? milliseconds(started - begin_) : -1.0);
    fields.push_back(milliseconds(event.at("ran").get<double>()));
    fields.push_back(endings_.number_of(event.at("ending").get<std::string>()));
    fields.push_back(words_.number_of(cut(event.at("words").get<std::string>(), 500)));
    fields.push_back(stacks_.number_of(stack));
    fields.push_back(tails_.number_of(event.at("error_tail").get<std::string>()));
    fields.push_back(bytes.is_null() ? -1.0 : bytes.get<double>());
    fields.push_back(event.at("max_rss").get<std::uint64_t>());
    fields.push_back(cut(event.at("record").get<std::string>(), 1000));
    return fields;
  }

  double begin_ = 0;
  Json run_, end_, tasks_ = Json::array(), lost_ = Json::array();
  std::uint64_t workers_died_ = 0;
  Dictionary endings_, words_, stacks_, tails_;
};

void refuse_other_files(const Json& first, const std::string& path) {
  if (!first.is_object() || first.value("event", "") != "run_started")
    throw UsageError("report: " + path + " does not begin like the events of a run; name a file written by --events");
  if (first.value("version", 0) != 1)
    throw UsageError("report: " + path + " has events of another version than 1, which this bulkhead cannot read");
}

PageData read_events(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UsageError("report: " + path + ": " + std::generic_category().message(errno));
  PageData data;
  std::uint64_t number = 0;
  for (std::string line; std::getline(file, line);) {
    const bool torn = file.eof();  // it has no newline: its writer was killed
    const Json event = Json::parse(line, nullptr, false);
    if (torn && number > 0 && event.is_discarded()) break;
    if (number++ == 0) refuse_other_files(event, path);
    try {
      data.add(event);
    } catch (const Json::exception& error) {
      throw UsageError(fmt::format("report: line {} of {} is no event: {}", number, path, error.what()));
    }
  }
  if (file.bad() || number == 0) throw UsageError("report: " + path + " holds no events that can be read");
  return data;
}

// Inside <script> only "</" and "<!--" mean anything to HTML; in JSON a '<' stands in texts alone.
void write_data(std::ofstream& page, std::string_view json) {
  while (!json.empty()) {
    const std::size_t at = std::min(json.find('<'), json.size());
    page << json.substr(0, at);
    json.remove_prefix(at);
    if (json.empty()) return;
    page << "\\u003c";
    json.remove_prefix(1);
  }
}

}  // namespace

int report(const std::vector<std::string>& words, std::string& help) {
  for (const std::string& word : words)
    if (word == "-h" || word == "--help") {
      help = usage;
      return 0;
    }
  const Arguments arguments = understand(words);
  PageData data = read_events(arguments.events);
  std::ofstream page(arguments.page, std::ios::binary | std::ios::trunc);
  page << report_page_head;
  write_data(page, data.text());
  page << report_page_tail;
  page.close();
  if (!page) throw std::system_error(errno, std::generic_category(), "cannot write to " + arguments.page);
  return 0;
}

}  // namespace bulkhead::tool
