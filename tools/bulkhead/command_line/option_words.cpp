#include "command_line/option_words.hpp"

#include "words/nearest.hpp"
#include "words/usage_error.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace bulkhead::tool {

namespace {

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

[[noreturn]] void refuse_unknown(const CLI::App& app, const std::string& name) {
  const std::string meant = name.starts_with("--") ? nearest(name, names_of(app)) : std::string();
  throw UsageError(
      "there is no option " + name + (meant.empty() ? "; " : "; did you mean " + meant + "? ") + app.get_name() +
      " --help lists them" +
      (app.get_name().starts_with("bulkhead ") ? ". A command that begins with a dash goes behind --" : ""));
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// How the option is written with its value, for who has forgotten that.
std::string pattern(const std::string& name, const CLI::Option& option) {
  const std::string value = option.get_type_name();
  if (option.get_expected_min() == 0) return name + " or " + name + value.substr(1, value.size() - 2);
  return name + " " + value;
}

[[noreturn]] void refuse_without_value(const std::string& name, const CLI::Option& option) {
  throw UsageError(name + " needs a value; write " + pattern(name, option));
}

void add(PartedWords& parted, const CLI::Option& option, const std::string* value) {
  const std::string name =
      option.get_lnames().empty() ? "-" + option.get_snames().front() : "--" + option.get_lnames().front();
  if (!value) {
    parted.options.push_back(name);
  } else if (value->empty()) {
    refuse_without_value(name, option);
  } else if (option.get_lnames().empty()) {
    parted.options.push_back(name);
    parted.options.push_back(*value);
  } else {
    parted.options.push_back(name + "=" + *value);
  }
}

// "-k0j4": flags one after the other, the last may take a value. Returns how many words were used.
std::size_t take_short(const CLI::App& app, const std::vector<std::string>& words, std::size_t at,
                       PartedWords& parted) {
  const std::string& word = words[at];
  for (std::size_t i = 1; i < word.size(); ++i) {
    const std::string name{'-', word[i]};
    const CLI::Option* option = app.get_option_no_throw(name);
    if (!option) refuse_unknown(app, i == 1 ? word : name + " (in " + word + ")");
    if (!takes_value(*option)) {
      add(parted, *option, nullptr);
      continue;
    }
    const bool attached = i + 1 < word.size();
    if (!attached && at + 1 == words.size()) refuse_without_value(name, *option);
    const std::string value = attached ? word.substr(i + 1) : words[at + 1];
    add(parted, *option, &value);
    return attached ? 1 : 2;
  }
  return 1;
}

std::size_t take_long(const CLI::App& app, const std::vector<std::string>& words, std::size_t at, PartedWords& parted) {
  const std::string& word = words[at];
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const CLI::Option* option = app.get_option_no_throw(name);
  if (!option) refuse_unknown(app, name);
  if (equals != std::string::npos) {
    if (!takes_value(*option)) throw UsageError(name + " takes no value; write " + name);
    const std::string value = word.substr(equals + 1);
    add(parted, *option, &value);
    return 1;
  }
  if (!takes_value(*option) || option->get_expected_min() == 0) {  // a value of its own choosing comes with "="
    add(parted, *option, nullptr);
    return 1;
  }
  if (at + 1 == words.size()) refuse_without_value(name, *option);
  add(parted, *option, &words[at + 1]);
  return 2;
}

}  // namespace

bool may_be_option(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

PartedWords part_options(const CLI::App& app, const std::vector<std::string>& words) {
  PartedWords parted;
  std::size_t at = 0;
  while (at < words.size()) {
    const std::string& word = words[at];
    if (word == "--") {
      ++at;
      break;
    }
    if (!may_be_option(word)) break;
    at += word[1] == '-' ? take_long(app, words, at, parted) : take_short(app, words, at, parted);
  }
  parted.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return parted;
}

}  // namespace bulkhead::tool
