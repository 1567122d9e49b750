#include "output/last_words.hpp"

#include <algorithm>

namespace bulkhead::tool {

std::string last_lines(std::string_view text) {
  constexpr int lines = 5;
  text.remove_prefix(text.size() - std::min(text.size(), most_last_bytes));
  std::size_t begin = text.size();
  for (int i = 0; i < lines && begin > 0; ++i)
    begin = begin >= 2 ? text.rfind('\n', begin - 2) + 1 : 0;  // npos + 1 is the beginning
  return std::string(text.substr(begin));
}

void LastWords::note(std::uint64_t sequence, std::string_view lines) {
  std::string& said = said_[sequence];
  said += lines.substr(lines.size() - std::min(lines.size(), most_last_bytes));
  if (said.size() > 2 * most_last_bytes) said.erase(0, said.size() - most_last_bytes);
}

std::string LastWords::take(std::uint64_t sequence) {
  const auto node = said_.extract(sequence);
  return node ? last_lines(node.mapped()) : std::string();
}

}  // namespace bulkhead::tool
