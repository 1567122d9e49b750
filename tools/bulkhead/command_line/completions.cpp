#include "command_line/completions.hpp"

#include "command_line/option_table.hpp"
#include "words/usage_error.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

namespace bulkhead::tool {

namespace {

constexpr std::string_view subcommands = "run call coprocess replay report doctor completions man";
constexpr std::array<std::pair<std::string_view, Subcommand>, 3> with_options{
    {{"run", Subcommand::run}, {"call", Subcommand::call}, {"coprocess", Subcommand::coprocess}}};

// The words a value can be, where there are only some; "FILE" and "DIR" are left to the shell.
std::string_view choices_of(const std::string& option) {
  if (option == "--progress") return "auto bar plain none";
  if (option == "--color") return "auto always never";
  if (option == "--exit-code") return "count task";
  if (option == "--input") return "jsonl";
  if (option == "--isolate") return "contained pid strict";
  return {};
}

bool is_file(const OptionEntry& option) { return option.value == "FILE" || option.value == "TEMPLATE"; }
bool is_directory(const OptionEntry& option) { return option.value == "DIR"; }

std::string names_of(const OptionEntry& option, std::string_view between) {
  if (option.short_name.empty() || option.long_name.empty()) return option.short_name + option.long_name;
  return fmt::format("{}{}{}", option.short_name, between, option.long_name);
}

std::string bash_cases(Subcommand which, std::string& all) {
  std::string cases;
  for (const OptionEntry& option : option_table(which)) {
    all += names_of(option, " ") + " ";
    if (option.value.empty() || option.value_optional) continue;
    std::string reply = "COMPREPLY=(); return";
    if (const auto choices = choices_of(option.long_name); !choices.empty())
      reply = fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$word\")); return", choices);
    else if (is_file(option))
      reply = "COMPREPLY=($(compgen -f -- \"$word\")); return";
    else if (is_directory(option))
      reply = "COMPREPLY=($(compgen -d -- \"$word\")); return";
    cases += fmt::format("        {}) {} ;;\n", names_of(option, "|"), reply);
  }
  return cases;
}

std::string bash() {
  std::string script = fmt::format(R"(# bulkhead: completion for bash
_bulkhead() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
  compopt -o filenames 2>/dev/null
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$word"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
    completions) COMPREPLY=($(compgen -W 'bash zsh fish' -- "$word")); return ;;
    replay) [[ $word == -* ]] && COMPREPLY=($(compgen -W '--gdb' -- "$word")) && return ;;
    report) [[ $word == -* ]] && COMPREPLY=($(compgen -W '--output --run' -- "$word")) && return ;;
)",
                                   subcommands);
  for (const auto& [name, which] : with_options) {
    std::string all;
    const std::string cases = bash_cases(which, all);
    script += fmt::format("    {})\n      case $before in\n{}      esac\n", name, cases);
    script += fmt::format("      [[ $word == -* ]] && COMPREPLY=($(compgen -W '{}' -- \"$word\")) && return ;;\n", all);
  }
  return script + "  esac\n  COMPREPLY=($(compgen -f -- \"$word\"))\n}\ncomplete -F _bulkhead bulkhead\n";
}

std::string quoted(std::string text, std::string_view special) {
  std::string result;
  for (char c : text) {
    if (c == '\'') {
      result += "'\\''";
      continue;
    }
    if (special.find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

std::string zsh_value(const OptionEntry& option) {
  if (option.value.empty()) return {};
  std::string how = " ";
  if (const auto choices = choices_of(option.long_name); !choices.empty()) how = fmt::format("({})", choices);
  if (is_file(option)) how = "_files";
  if (is_directory(option)) how = "_files -/";
  return fmt::format("{}{}:{}", option.value_optional ? "::" : ":", quoted(option.value, "[]:"), how);
}

std::string zsh() {
  std::string script = "#compdef bulkhead\n_bulkhead() {\n  if ((CURRENT == 2)); then\n";
  script += fmt::format("    compadd -- {} --help --version\n    return\n  fi\n  local sub=$words[2]\n", subcommands);
  script += "  shift words; ((CURRENT--))\n  case $sub in\n    completions) compadd -- bash zsh fish ;;\n";
  for (const auto& [name, which] : with_options) {
    script += fmt::format("    {}) _arguments -S -s", name);
    for (const OptionEntry& option : option_table(which))
      for (const std::string& spelled : {option.short_name, option.long_name})
        if (!spelled.empty())
          script += fmt::format(" \\\n      '*{}{}[{}]{}'", spelled,
                                option.value.empty() || option.value_optional ? ""
                                : spelled.size() > 2                          ? "="
                                                                              : "+",
                                quoted(option.words, "[]:\\"), zsh_value(option));
    script += " \\\n      '*:file:_files' ;;\n";
  }
  return script + "    *) _files ;;\n  esac\n}\ncompdef _bulkhead bulkhead\n";
}

std::string fish() {
  std::string script = "# bulkhead: completion for fish\n";
  script += fmt::format("complete -c bulkhead -n __fish_use_subcommand -f -a '{}'\n", subcommands);
  script += "complete -c bulkhead -n '__fish_seen_subcommand_from completions' -f -a 'bash zsh fish'\n";
  script += "complete -c bulkhead -n '__fish_seen_subcommand_from replay' -l gdb -d 'in the debugger'\n";
  script += "complete -c bulkhead -n '__fish_seen_subcommand_from report' -s o -l output -r -d 'the page'\n";
  script += "complete -c bulkhead -n '__fish_seen_subcommand_from report' -l run -x -d 'which run of the file'\n";
  for (const auto& [name, which] : with_options)
    for (const OptionEntry& option : option_table(which)) {
      script += fmt::format("complete -c bulkhead -n '__fish_seen_subcommand_from {}'", name);
      if (!option.short_name.empty()) script += " -s " + option.short_name.substr(1);
      if (!option.long_name.empty()) script += " -l " + option.long_name.substr(2);
      if (!option.value.empty() && !option.value_optional)
        script += is_file(option) || is_directory(option) ? " -r" : " -x";
      if (const auto choices = choices_of(option.long_name); !choices.empty())
        script += fmt::format(" -a '{}'", choices);
      std::string words;
      for (char c : option.words) words += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
      script += fmt::format(" -d '{}'\n", words);
    }
  return script;
}

}  // namespace

std::string completion_script(const std::vector<std::string>& words) {
  const std::string shell = words.size() == 1 ? words.front() : std::string();
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  if (shell == "fish") return fish();
  throw UsageError("completions: name one shell: bulkhead completions bash, zsh or fish");
}

}  // namespace bulkhead::tool
