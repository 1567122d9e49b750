// The name the user may have meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The name nearest to `word`, or empty where none is near enough to be a slip of the fingers.
std::string nearest(std::string_view word, const std::vector<std::string>& names);

}  // namespace bulkhead::tool
