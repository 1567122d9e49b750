// A tag in front of every line of a text that comes in pieces.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace bulkhead::tool {

class LineTagger {
 public:
  explicit LineTagger(std::string tag) : tag_(std::move(tag)) {}
  std::string apply(std::string_view piece);

 private:
  std::string tag_;
  bool at_line_start_ = true;
};

}  // namespace bulkhead::tool
