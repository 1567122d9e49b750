// What is said of a command line that cannot be meant: in our words, with the option's name and the remedy.
#include "command_line/option_table.hpp"
#include "outside.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

using namespace outside;
using bulkhead::tool::OptionEntry;
using bulkhead::tool::Subcommand;

namespace {

const std::map<std::string, Subcommand> subcommands{
    {"run", Subcommand::run}, {"call", Subcommand::call}, {"coprocess", Subcommand::coprocess}};

// Any text can be meant by them. What they name is opened, or matched, later.
const std::set<std::string> any_text{"--arg-file", "--delimiter", "--colsep",     "-I",       "--cwd",   "--tag-format",
                                     "--joblog",   "--results",   "--quarantine", "--events", "--trace", "--junit"};

const std::string nonsense = "?!nonsense";

std::string name_of(const OptionEntry& option) {
  return option.long_name.empty() ? option.short_name : option.long_name;
}

// An option that has an effect only beside another one.
Words needed_by(const std::string& option) {
  if (option.starts_with("--retry-")) return {"--retries", "1"};
  if (option == "--resume") return {"--joblog", "/dev/null"};
  return {};
}

bool offers_remedy(const std::string& words) {
  return contains(words, "; write ") || contains(words, "; choose ") || contains(words, "; leave ");
}

void refuses(const std::string& subcommand, const std::string& name, Words words) {
  words.insert(words.begin(), subcommand);
  words.insert(words.end(), {"true", ":::", "a"});
  const Result r = invoke(words);
  INFO(subcommand << " " << name << ": " << r.error);
  CHECK(r.status == 2);
  CHECK(r.output.empty());
  CHECK(contains(r.error, "bulkhead: " + name));
  CHECK(contains(r.error, nonsense));
  CHECK(offers_remedy(r.error));
  CHECK(std::count(r.error.begin(), r.error.end(), '\n') == 1);
}

}  // namespace

TEST_CASE("an option whose value makes no sense is refused by name, with the remedy", "[tool]") {
  for (const auto& [subcommand, which] : subcommands) {
    for (const OptionEntry& option : option_table(which)) {
      const std::string name = name_of(option);
      if (option.value.empty() || any_text.count(name) != 0) continue;
      const auto with = [&](const Words& words) {
        Words all = needed_by(name);
        all.insert(all.end(), words.begin(), words.end());
        refuses(subcommand, name, all);
      };
      with({name + "=" + nonsense});
      if (!option.value_optional) with({name, nonsense});
      if (!option.short_name.empty()) with({option.short_name, nonsense});
      if (!option.short_name.empty()) with({option.short_name + nonsense});
    }
  }
}

TEST_CASE("an option without its value, or with an empty one, is refused with how it is written", "[tool]") {
  for (const auto& [subcommand, which] : subcommands) {
    for (const OptionEntry& option : option_table(which)) {
      if (option.value.empty()) continue;
      const auto refused = [&, &command = subcommand](const std::string& name, Words words) {
        words.insert(words.begin(), command);
        const Result r = invoke(words);
        INFO(command << " " << name << ": " << r.error);
        CHECK(r.status == 2);
        CHECK(contains(r.error, "bulkhead: " + name + " needs a value; write " + name));
      };
      if (!option.long_name.empty()) refused(option.long_name, {option.long_name + "=", "true", ":::", "a"});
      if (option.value_optional) continue;
      for (const std::string& name : {option.short_name, option.long_name})
        if (!name.empty()) refused(name, {name});
    }
  }
}

TEST_CASE("a flag that is given a value is refused", "[tool]") {
  for (const auto& [subcommand, which] : subcommands) {
    for (const OptionEntry& option : option_table(which)) {
      if (!option.value.empty() || option.long_name.empty()) continue;
      const Result r = invoke({subcommand, option.long_name + "=3", "true", ":::", "a"});
      INFO(r.error);
      CHECK(r.status == 2);
      CHECK(contains(r.error, option.long_name + " takes no value; write " + option.long_name));
    }
  }
}

TEST_CASE("an option that there is not is refused with the nearest name", "[tool]") {
  for (const auto& [subcommand, which] : subcommands) {
    for (const OptionEntry& option : option_table(which)) {
      if (option.long_name.size() < 7) continue;
      std::string typo = option.long_name;
      std::swap(typo[4], typo[5]);
      if (typo == option.long_name) continue;
      const Result r = invoke({subcommand, typo, "true", ":::", "a"});
      INFO(r.error);
      CHECK(r.status == 2);
      CHECK(contains(r.error, "there is no option " + typo + "; did you mean --"));
    }
  }
  const Result r = run({"-q3", "true", ":::", "a"});
  CHECK(r.status == 2);
  CHECK(contains(r.error, "there is no option -3 (in -q3)"));
  CHECK(invoke({"doctor", "x"}).status == 2);
  CHECK(invoke({"man", "x"}).status == 2);
}

TEST_CASE("the short help fits a screen, examples first, and the long one has every option", "[tool]") {
  for (const std::string name : {"", "run", "call", "coprocess"}) {
    CAPTURE(name);
    const Result brief = name.empty() ? invoke({"-h"}) : invoke({name, "-h"});
    CHECK(brief.status == 0);
    std::istringstream lines(brief.output);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) CHECK(line.size() <= 80);
    CHECK(count <= 23);  // and the prompt
    if (name.empty()) continue;
    CHECK(brief.output.find("Examples:") < brief.output.find("Usage:"));
    CHECK(brief.output.find("Usage:") < brief.output.find("--jobs"));
    const std::string all = invoke({name, "--help"}).output;
    for (const OptionEntry& option : option_table(subcommands.at(name))) {
      INFO(option.long_name << option.short_name);
      CHECK(contains(all, name_of(option)));
      CHECK(contains(all, option.words.substr(0, 20)));
    }
  }
}
