#include "command_line/command_line.hpp"

#include "command_line/option_words.hpp"
#include "command_line/understanding.hpp"
#include "command_line/usage.hpp"
#include "words/usage_error.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>

namespace bulkhead::tool {

namespace {

std::string name_of(Subcommand which) {
  switch (which) {
    case Subcommand::run:
      return "bulkhead run";
    case Subcommand::call:
      return "bulkhead call";
    case Subcommand::coprocess:
      return "bulkhead coprocess";
    case Subcommand::batch:
      break;
  }
  return {};
}

}  // namespace

std::optional<Settings> parse_command_line(Subcommand which, const std::vector<std::string>& words, std::string& help,
                                           const std::string& program) {
  Settings settings;
  WrittenOptions raw;
  if (!program.empty()) settings.program = program;
  if (words.empty() || !may_be_option(words.front())) {  // the table of them all takes a while to make
    understand(raw, which, words, settings);
    return settings;
  }
  std::string usage = usage_of(which);
  if (const std::size_t place = usage.find("PROGRAM"); which == Subcommand::batch && place != usage.npos)
    usage.replace(place, std::string("PROGRAM").size(), settings.program);
  // What it is called with, so that it can be named whole in what is said.
  CLI::App app(usage, which == Subcommand::batch ? settings.program : name_of(which));
  add_options(app, which, settings, raw);

  PartedWords parted = part_options(app, words);
  try {
    app.parse(std::vector<std::string>(parted.options.rbegin(), parted.options.rend()));  // it takes them from the back
  } catch (const CLI::CallForHelp&) {
    const bool all = std::find(words.begin(), words.end(), "--help") != words.end();
    help = all ? app.help() : short_help(app);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}; {} --help says what it takes", error.what(), app.get_name()));
  }
  note_given(app, raw);
  understand(raw, which, std::move(parted.rest), settings);
  return settings;
}

}  // namespace bulkhead::tool
