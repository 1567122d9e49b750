// Regular expressions over bytes: no encoding is assumed, and no length overflows the stack.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// An extended regular expression of POSIX, in which C escapes (\t \n \r \f \v \xHH) and \d \D \s \S \w \W mean what
/// they do elsewhere. Compiled once; splitting is const and may be done by several threads at once. Move-only.
class BytePattern {
 public:
  /// Throws std::invalid_argument saying what is wrong with it, also for one that matches the empty text ("x*").
  explicit BytePattern(const std::string& expression);
  BytePattern(BytePattern&&) noexcept;
  BytePattern& operator=(BytePattern&&) noexcept;
  ~BytePattern();

  /// The pieces between its matches, always at least one; empty pieces count.
  std::vector<std::string> split(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace bulkhead
