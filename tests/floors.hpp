// The rule that folders are floors and arrows point down, as a table and a function over the text of the sources.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace floors {

/// Path below the root of the project, with '/' between its parts, to the text of the file.
using Sources = std::map<std::string, std::string>;

/// One floor: the files right in `folder`, and what they may include, as kinds (see kind_of in floors.cpp).
struct Floor {
  std::string_view folder;
  std::vector<std::string_view> may_include;
};

/// A single file that may include one thing more than its floor.
struct Exception {
  std::string_view file, kind;
};

/// A word that only the files below one folder may use outside of comments, and those below `neutral`.
struct ReservedWord {
  std::string_view word, folder, neutral{};
};

struct Rules {
  std::vector<Floor> floors;
  std::vector<Exception> exceptions;
  std::vector<ReservedWord> reserved_words;
  std::vector<std::string_view> refused_names;  ///< parts of a file's name, between '_' and '.'
};

/// The rules of this project.
const Rules& rules();

/// Every breach as "file:line: what is wrong", in the order of files and lines. Empty: none.
std::vector<std::string> breaches(const Sources& sources, const Rules& rules);

}  // namespace floors
