#include "logs/report_data.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace bulkhead::tool {

namespace {

using OrderedJson = nlohmann::ordered_json;

void put_digits(std::string& text, std::uint64_t value) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (; value >= 32; value >>= 5) text += digits[(value & 31) | 32];
  text += digits[value];
}

// Characters that are one byte here are one unit in the page's strings as well; what is longer is not shared.
std::size_t shared_length(std::string_view a, std::string_view b) {
  std::size_t at = 0;
  while (at < a.size() && at < b.size() && a[at] == b[at] && static_cast<unsigned char>(a[at]) < 0x80) ++at;
  return at;
}

OrderedJson columns(const std::vector<ReportRow>& rows) {
  OrderedJson table{{"count", rows.size()}};
  const auto add = [&](const char* name, auto value) {
    std::vector<std::int64_t> numbers;
    numbers.reserve(rows.size());
    for (const ReportRow& row : rows) numbers.push_back(value(row));
    table[name] = packed(numbers);
  };
  // Less its place, which leaves a 0 for each task of a whole run.
  add("seq", [place = std::int64_t(0)](const ReportRow& row) mutable { return row.seq - ++place; });
  add("attempt", [](const ReportRow& row) { return row.attempt; });
  add("slot", [](const ReportRow& row) { return row.slot; });
  add("started", [](const ReportRow& row) { return row.started; });
  add("ran", [](const ReportRow& row) { return row.ran; });
  add("kind", [](const ReportRow& row) { return row.kind; });
  add("tail", [](const ReportRow& row) { return row.tail; });
  add("command", [](const ReportRow& row) { return row.command; });
  add("bytes", [](const ReportRow& row) { return row.bytes; });
  add("memory", [](const ReportRow& row) { return row.memory; });
  // Records look alike: of each what differs from the one before, and how much of that one stands before it.
  OrderedJson rests = OrderedJson::array();
  std::string_view before;
  add("shared", [&](const ReportRow& row) {
    const std::size_t shared = shared_length(before, row.record);
    rests.push_back(row.record.substr(shared));
    before = row.record;
    return static_cast<std::int64_t>(shared);
  });
  table["rests"] = std::move(rests);
  return table;
}

OrderedJson kinds(const TextNumbers& numbers) {
  OrderedJson all = OrderedJson::array();
  for (const std::string& text : numbers.texts()) {
    const std::size_t words = text.find('\0') + 1, stack = text.find('\0', words) + 1;
    all.push_back({text.substr(0, words - 1), text.substr(words, stack - 1 - words), text.substr(stack)});
  }
  return all;
}

}  // namespace

std::string packed(const std::vector<std::int64_t>& numbers) {
  std::string text;
  std::int64_t before = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::int64_t difference = numbers[i] - before;
    before = numbers[i];
    const auto length = static_cast<std::uint64_t>(difference < 0 ? -difference : difference);
    put_digits(text, length << 1 | (difference < 0 ? 1 : 0));
    if (difference != 0) continue;
    const auto other = [&](std::int64_t number) { return number != before; };
    const auto end = std::find_if(numbers.begin() + static_cast<std::ptrdiff_t>(i) + 1, numbers.end(), other);
    const auto more = static_cast<std::size_t>(end - numbers.begin()) - i - 1;
    put_digits(text, more);
    i += more;
  }
  return text;
}

std::string page_data(const ReportRun& run) {
  OrderedJson data{{"run_id", run.begin.run_id},
                   {"tool", run.begin.tool},
                   {"command", run.begin.command},
                   {"joblog", run.begin.joblog},
                   {"jobs", run.begin.jobs},
                   {"time", run.begin.time},
                   {"number", run.number},
                   {"of", run.of},
                   {"torn", run.torn},
                   {"finished", run.finished},
                   {"workers_died", run.workers_died}};
  data["wall"] = run.finished ? run.end.wall : std::max(0.0, run.last_time - run.begin.time);
  data["exit_status"] = run.end.exit_status;
  data["leaked"] = run.end.leaked;
  data["kinds"] = kinds(run.kinds);
  data["tails"] = run.tails.texts();
  data["commands"] = run.commands.texts();
  data["tasks"] = columns(run.tasks);
  data["lost"] = columns(run.lost);
  const std::string text = data.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) c == '<' ? safe += "\\u003c" : safe += c;
  return safe;
}

}  // namespace bulkhead::tool
