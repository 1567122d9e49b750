#include "words/shell_quote.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace bulkhead::tool {

namespace {

bool is_plain(char c) {
  constexpr std::string_view harmless = "@%+=:,./-_";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         harmless.find(c) != std::string_view::npos;
}

// The length of the well-formed UTF-8 sequence at the front that is no control character; 0: there is none.
std::size_t printable_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if (first == 0xc2 && byte(1) < 0xa0) return 0;                                         // the C1 controls
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90)) return 0;  // overlong
  if ((first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f)) return 0;  // surrogates, out of range
  return length;
}

}  // namespace

std::string shell_quote(std::string_view value) {
  if (!value.empty() && std::all_of(value.begin(), value.end(), is_plain)) return std::string(value);
  std::string quoted = "'";
  for (char c : value) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted += '\'';
}

std::string shell_join(const std::vector<std::string>& words) {
  std::string line;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) line += ' ';
    // A first word with "=" would be an assignment.
    const bool assigns = i == 0 && words[i].find('=') != std::string::npos;
    const std::string quoted = shell_quote(words[i]);
    line += assigns && quoted == words[i] ? "'" + quoted + "'" : quoted;
  }
  return line;
}

std::string printable(std::string_view bytes, std::size_t limit) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size();) {
    if (i >= limit) return text += "...";
    if (const std::size_t length = printable_length(bytes.substr(i)); length > 0) {
      text += bytes.substr(i, length);
      i += length;
      continue;
    }
    const char c = bytes[i++];
    if (c == '\t')
      text += "\\t";
    else if (c == '\n')
      text += "\\n";
    else if (c == '\r')
      text += "\\r";
    else
      text += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
  }
  return text;
}

void ShellContext::read(std::string_view text) {
  for (char c : text) {
    const bool escaped = backslash_;
    backslash_ = false;
    switch (inside_) {
      case Inside::comment:
        if (c == '\n') inside_ = Inside::plain;
        break;
      case Inside::single_quotes:
        if (c == '\'') inside_ = Inside::plain;
        break;
      case Inside::double_quotes:
        if (!escaped && c == '"') inside_ = Inside::plain;
        backslash_ = !escaped && c == '\\';
        break;
      case Inside::backquotes:
        if (!escaped && c == '`') inside_ = Inside::plain;
        backslash_ = !escaped && c == '\\';
        break;
      case Inside::plain:
        if (!escaped) read_plain(c);
        break;
    }
    if (backslash_) continue;  // what it hides decides; a hidden line end is no character at all
    if (!escaped || c != '\n') last_ = escaped ? 'x' : c;
  }
}

void ShellContext::read_plain(char c) {
  constexpr std::string_view before_a_comment = " \t\n;&|()";
  if (c == '\\') backslash_ = true;
  if (c == '\'') inside_ = Inside::single_quotes;
  if (c == '"') inside_ = Inside::double_quotes;
  if (c == '`') inside_ = Inside::backquotes;
  if (c == '#' && before_a_comment.find(last_) != std::string_view::npos) inside_ = Inside::comment;
  if (c == '\'' && last_ == '$') ansi_quotes_ = true;
  if (c == '<' && last_ == '<') here_document_ = true;
  if ((c == '(' && last_ == '(') || (c == '[' && last_ == '$')) arithmetic_ = true;
  if (c == '[') subscript_ = last_ == '_' || std::isalnum(static_cast<unsigned char>(last_));
  if (c == ']') subscript_ = false;
}

std::string_view ShellContext::objection() const noexcept {
  if (backslash_) return "a backslash";
  switch (inside_) {
    case Inside::single_quotes:
      return "single quotes";
    case Inside::double_quotes:
      return "double quotes";
    case Inside::backquotes:
      return "backquotes";
    case Inside::comment:
      return "a comment";
    case Inside::plain:
      break;
  }
  if (ansi_quotes_) return "$'...' quotes";
  if (here_document_) return "a here-document";
  if (arithmetic_) return "arithmetic";
  if (subscript_) return "a subscript";
  if (last_ == '$') return "$'...' quotes";
  return {};
}

}  // namespace bulkhead::tool
