#include "floors.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <sstream>

namespace floors {
namespace {

struct Include {
  std::size_t line = 0;
  std::string name;    // as it is written, without quotes or brackets
  std::string target;  // the file it means, where that is one of ours
};

using Includes = std::map<std::string, std::vector<Include>>;

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(path.substr(0, slash == std::string_view::npos ? 0 : slash));
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/';
}

bool contains(const std::vector<std::string_view>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string without_comment(const std::string& line) { return line.substr(0, line.find("//")); }

// "name" or <name> of an include directive, or nothing.
std::optional<std::string> included_name(const std::string& line) {
  std::size_t at = line.find_first_not_of(" \t");
  if (at == std::string::npos || line[at] != '#') return {};
  at = line.find_first_not_of(" \t", at + 1);
  if (at == std::string::npos || line.compare(at, 7, "include") != 0) return {};
  const std::size_t open = line.find_first_of("\"<", at);
  const std::size_t close = line.find_first_of("\">", open == std::string::npos ? open : open + 1);
  if (close == std::string::npos) return {};
  return line.substr(open + 1, close - open - 1);
}

std::string resolve(const Sources& sources, const std::string& from, const std::string& name) {
  for (const std::string& root :
       {folder_of(from), std::string("src"), std::string("include"), std::string("tools/bulkhead")}) {
    std::string path = root + "/" + name;
    if (sources.contains(path)) return path;
  }
  return {};
}

template <class Visit>
void each_line(const std::string& text, Visit&& visit) {
  std::istringstream in(text);
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) visit(number, line);
}

Includes find_includes(const Sources& sources) {
  Includes found;
  for (const auto& [path, text] : sources) {
    std::vector<Include>& includes = found[path];
    each_line(text, [&, &path = path](std::size_t number, const std::string& line) {
      if (const auto name = included_name(line)) includes.push_back({number, *name, resolve(sources, path, *name)});
    });
  }
  return found;
}

bool is_standard(std::string_view name) { return name.find_first_of("./") == std::string_view::npos; }

// A word is a public header that leans on the standard library and on other words alone.
bool is_word(const Includes& includes, const std::string& path, std::set<std::string> seen = {}) {
  if (folder_of(path) != "include/bulkhead" || !seen.insert(path).second) return false;
  const std::vector<Include>& list = includes.at(path);
  return std::all_of(list.begin(), list.end(), [&](const Include& include) {
    return is_standard(include.name) || (!include.target.empty() && is_word(includes, include.target, seen));
  });
}

// Ours: "word", "public", or the folder it is in. Others': "std", the library's folder, "compiler"; all else is
// "system".
std::string kind_of(const Includes& includes, const Include& include) {
  if (!include.target.empty()) {
    if (is_word(includes, include.target)) return "word";
    if (folder_of(include.target) == "include/bulkhead") return "public";
    return folder_of(include.target);
  }
  if (is_standard(include.name)) return "std";
  if (contains({"cxxabi.h", "immintrin.h", "nmmintrin.h", "x86intrin.h", "arm_acle.h"}, include.name))
    return "compiler";
  for (const std::string_view library : {"boost", "cereal", "spdlog", "fmt", "CLI", "nlohmann", "bulkhead"}) {
    if (is_below(include.name, library)) return std::string(library);
  }
  return "system";
}

class Inspection {
 public:
  Inspection(const Sources& sources, const Rules& rules) : rules_(rules), includes_(find_includes(sources)) {
    for (const auto& [path, text] : sources) {
      check_name(path);
      check_includes(path);
      check_words(path, text);
    }
    for (const auto& [path, list] : includes_) check_cycles(path);
  }
  std::vector<std::string> take() { return std::move(breaches_); }

 private:
  void report(const std::string& path, std::size_t line, const std::string& what) {
    breaches_.push_back(path + ":" + std::to_string(line) + ": " + what);
  }

  void check_name(const std::string& path) {
    std::string name = path.substr(path.rfind('/') + 1);
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '.' || c == '_' || c == '-'; }, ' ');
    std::istringstream parts(name);
    for (std::string part; parts >> part;) {
      if (contains(rules_.refused_names, part)) report(path, 1, "\"" + part + "\" does not say what the file holds");
    }
  }

  void check_includes(const std::string& path) {
    const std::string folder = folder_of(path);
    const auto floor = std::find_if(rules_.floors.begin(), rules_.floors.end(),
                                    [&](const Floor& candidate) { return candidate.folder == folder; });
    if (floor == rules_.floors.end()) return report(path, 1, folder + " is no floor: add it to tests/floors_rules.cpp");
    for (const Include& include : includes_.at(path)) {
      const std::string kind = kind_of(includes_, include);
      const bool excepted = std::any_of(rules_.exceptions.begin(), rules_.exceptions.end(), [&](const Exception& e) {
        return e.file == path && (e.kind == kind || e.kind == include.name);
      });
      if (excepted || contains(floor->may_include, kind)) continue;
      report(path, include.line, folder + " must not include " + include.name + " (" + kind + ")");
    }
  }

  void check_words(const std::string& path, const std::string& text) {
    for (const ReservedWord& reserved : rules_.reserved_words) {
      if (is_below(path, reserved.folder) || is_below(path, reserved.neutral)) continue;
      each_line(text, [&](std::size_t number, const std::string& line) {
        if (without_comment(line).find(reserved.word) == std::string::npos) return;
        report(path, number, std::string(reserved.word) + " belongs in " + std::string(reserved.folder));
      });
    }
  }

  // Depth first; a file that is still on the path when it is met again closes a cycle.
  void check_cycles(const std::string& path) {
    if (finished_.contains(path)) return;
    on_path_.push_back(path);
    for (const Include& include : includes_.at(path)) {
      if (include.target.empty()) continue;
      const auto first = std::find(on_path_.begin(), on_path_.end(), include.target);
      if (first == on_path_.end()) {
        check_cycles(include.target);
      } else {
        std::string cycle;
        for (auto member = first; member != on_path_.end(); ++member) cycle += *member + " -> ";
        report(path, include.line, "includes itself: " + cycle + include.target);
      }
    }
    on_path_.pop_back();
    finished_.insert(path);
  }

  const Rules& rules_;
  Includes includes_;
  std::set<std::string> finished_;
  std::vector<std::string> on_path_, breaches_;
};

}  // namespace

std::vector<std::string> breaches(const Sources& sources, const Rules& rules) {
  return Inspection(sources, rules).take();
}

}  // namespace floors
