#include "logs/junit_file.hpp"

#include "logs/task_json.hpp"
#include "words/as_number.hpp"
#include "words/shell_quote.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <string_view>
#include <system_error>

namespace bulkhead::tool {

namespace {

constexpr std::size_t longest_line = 4096;

// Two characters that are UTF-8 and still not allowed.
std::string without_noncharacters(std::string text) {
  for (const std::string_view bad : {"\xef\xbf\xbe", "\xef\xbf\xbf"})
    for (std::size_t at; (at = text.find(bad)) != std::string::npos;)
      text.replace(at, bad.size(), bad.back() == '\xbe' ? "\\ufffe" : "\\uffff");
  return text;
}

std::string escaped_markup(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '"')
      escaped += "&quot;";
    else
      escaped += c;
  }
  return escaped;
}

// The counts are known at the end and stand at the beginning: the header always has this length.
std::string suite_header(const std::string& suite, std::uint64_t tests, std::uint64_t failures, std::uint64_t errors,
                         std::uint64_t skipped, double seconds) {
  const std::string counts = fmt::format(R"(tests="{}" failures="{}" errors="{}" skipped="{}" time="{:.3f}")", tests,
                                         failures, errors, skipped, seconds);
  constexpr int room = 160;  // five numbers of twenty digits, and their names
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" {:<{}}>\n", suite, counts,
                     room);
}

// "failure" is what a test asserts, "error" what happens to it.
std::string ending_element(const Attempt& attempt) {
  if (attempt.end == TaskEnd::ok) return {};
  if (attempt.end == TaskEnd::left_over) return fmt::format("<skipped message=\"{}\"/>", xml_text(attempt.words));
  const char* name = attempt.end == TaskEnd::failed ? "failure" : "error";
  std::string text = xml_text(attempt.error_tail);
  for (const std::string& frame : attempt.backtrace) text += "\n  at " + xml_text(frame);
  return fmt::format("<{} message=\"{}\" type=\"{}\">{}</{}>", name, xml_text(attempt.words), to_string(attempt.end),
                     text, name);
}

}  // namespace

std::string xml_text(std::string_view bytes) {
  std::string text;
  for (;;) {
    const std::size_t newline = std::min(bytes.find('\n'), bytes.size());
    text += escaped_markup(without_noncharacters(printable(bytes.substr(0, newline), longest_line)));
    if (newline == bytes.size()) return text;
    text += '\n';
    bytes.remove_prefix(newline + 1);
  }
}

void JunitFile::run_started(const RunStart& start) {
  suite_ = xml_text("bulkhead " + start.command);
  file_.put(suite_header(suite_, 0, 0, 0, 0, 0));
  file_.flush();  // a file that cannot be written should be known of before anything is run
}

void JunitFile::task_finished(const Attempt& attempt, const std::string& command) {
  ++written_;
  file_.put(
      fmt::format("<testcase name=\"#{} {}\" classname=\"bulkhead\" time=\"{:.3f}\">{}<system-out>{}</system-out>"
                  "</testcase>\n",
                  attempt.task.sequence, xml_text(joined_record(attempt.task)), as_seconds(attempt.ran),
                  ending_element(attempt), xml_text(command)));
}

void JunitFile::run_finished(const RunFinish& finish) {
  file_.put("</testsuite>\n");
  file_.finish();
  const Tally& tally = finish.tally;
  std::fstream again(file_.path(), std::ios::in | std::ios::out | std::ios::binary);
  again << suite_header(suite_, written_, tally.failed, tally.unsuccessful() - tally.failed,
                        written_ - tally.finished(), as_seconds(finish.wall))
        << std::flush;
  if (!again) throw std::system_error(errno, std::generic_category(), "cannot write to " + file_.path());
}

}  // namespace bulkhead::tool
