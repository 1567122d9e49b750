#include "output/line_tagger.hpp"

namespace bulkhead::tool {

std::string LineTagger::apply(std::string_view piece) {
  if (tag_.empty()) return std::string(piece);
  std::string text;
  while (!piece.empty()) {
    if (at_line_start_) text += tag_;
    const std::size_t newline = piece.find('\n');
    at_line_start_ = newline != std::string_view::npos;
    const std::size_t length = at_line_start_ ? newline + 1 : piece.size();
    text += piece.substr(0, length);
    piece.remove_prefix(length);
  }
  return text;
}

}  // namespace bulkhead::tool
