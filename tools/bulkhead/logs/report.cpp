#include "logs/report.hpp"

#include "logs/report_data.hpp"
#include "logs/report_run.hpp"
#include "words/quantity.hpp"
#include "words/usage_error.hpp"

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace bulkhead::tool {

namespace {

constexpr const char* report_usage = R"(Makes one self-contained page of a run, from what --events has written.

  bulkhead run --events run.ndjson ...
  bulkhead report run.ndjson -o run.html

Usage: bulkhead report [--run N] EVENTS.ndjson -o PAGE.html

  -o, --output PAGE   where the page goes; what is there is replaced
      --run N         of a file that holds several runs, one behind the other, the Nth; default: the last

The page needs no network and loads nothing. Of a run that did not come to its end it shows what there is; a last line
that is torn, as a killed run leaves it, is left out.
)";

struct Arguments {
  std::string events, page;
  std::uint64_t run = 0;
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
    } else if (word == "--run" || word.starts_with("--run=")) {
      if (word == "--run" && i + 1 == words.size()) throw UsageError("report: --run needs a value");
      const auto number = parse_count(word == "--run" ? words[++i] : word.substr(6));
      if (!number || *number == 0) throw UsageError("report: --run takes a number from 1 on: which run of the file");
      arguments.run = *number;
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

}  // namespace

int report(const std::vector<std::string>& words, std::string& help) {
  for (const std::string& word : words)
    if (word == "-h" || word == "--help") {
      help = report_usage;
      return 0;
    }
  const Arguments arguments = understand(words);
  std::error_code none;
  if (std::filesystem::equivalent(arguments.events, arguments.page, none))
    throw UsageError("report: -o " + arguments.page + " is the file of the events itself; name another for the page");
  const std::string data = page_data(read_run(arguments.events, arguments.run));
  std::ofstream page(arguments.page, std::ios::binary | std::ios::trunc);
  page << report_page_head << data << report_page_tail;
  page.close();
  if (!page) throw std::system_error(errno, std::generic_category(), "cannot write to " + arguments.page);
  return 0;
}

}  // namespace bulkhead::tool
