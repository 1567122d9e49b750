// Words for a shell and lines for a terminal, made from bytes that may be anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

/// One word for sh, in quotes only where it needs them.
std::string shell_quote(std::string_view value);
std::string shell_join(const std::vector<std::string>& words);

/// For people: control characters and bytes that are not UTF-8 as C escapes, cut after `limit` bytes with "...".
std::string printable(std::string_view bytes, std::size_t limit = 200);

/// Reads a sh command from its beginning and knows whether a quoted value put at the end of what it has read so far
/// would still be one word to the shell, or could break out of where it stands.
class ShellContext {
 public:
  void read(std::string_view text);
  /// Where the reader stands, if a quoted value is not safe there ("single quotes"); empty: it is safe.
  std::string_view objection() const noexcept;

 private:
  void read_plain(char c);

  enum class Inside { plain, single_quotes, double_quotes, backquotes, comment } inside_ = Inside::plain;
  bool backslash_ = false;
  bool ansi_quotes_ = false, here_document_ = false, arithmetic_ = false;  // seen once, unsafe from there on
  bool subscript_ = false;
  char last_ = ' ';
};

}  // namespace bulkhead::tool
