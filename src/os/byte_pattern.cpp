#include <bulkhead/byte_pattern.hpp>

#include <regex.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

namespace bulkhead {

namespace {

// What POSIX has no escape for, in its own words. Inside of brackets a backslash is a character like any other there,
// so classes and single bytes are put in without brackets of their own.
std::string_view meaning_of(char letter, bool in_brackets) {
  switch (letter) {
    case 't':
      return "\t";
    case 'n':
      return "\n";
    case 'r':
      return "\r";
    case 'f':
      return "\f";
    case 'v':
      return "\v";
    case 'd':
      return in_brackets ? "0-9" : "[0-9]";
    case 's':
      return in_brackets ? "[:space:]" : "[[:space:]]";
    case 'w':
      return in_brackets ? "[:alnum:]_" : "[[:alnum:]_]";
    case 'D':
      return in_brackets ? "" : "[^0-9]";
    case 'S':
      return in_brackets ? "" : "[^[:space:]]";
    case 'W':
      return in_brackets ? "" : "[^[:alnum:]_]";
    default:
      return "";
  }
}

std::string in_posix_words(std::string_view text) {
  std::string result;
  bool in_brackets = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      const char next = text[i + 1];
      unsigned byte = 0;
      const char* const digits = text.data() + std::min(i + 2, text.size());
      const char* const most = text.data() + std::min(i + 4, text.size());
      if (const auto meaning = meaning_of(next, in_brackets); !meaning.empty()) {
        result += meaning;
        ++i;
      } else if (const auto [end, error] = std::from_chars(digits, most, byte, 16);
                 next == 'x' && error == std::errc() && byte != 0) {
        if (!in_brackets && std::string_view(".[]{}()*+?^$|\\").find(static_cast<char>(byte)) != std::string_view::npos)
          result += '\\';
        result += static_cast<char>(byte);
        i = static_cast<std::size_t>(end - text.data()) - 1;
      } else {
        result += c;
        if (!in_brackets || next == '\\') result += text[i + 1];
        if (!in_brackets || next == '\\') ++i;
      }
      continue;
    }
    if (c == '[' && !in_brackets) {
      in_brackets = true;
      result += c;  // a bracket right behind it is a member, not the end
      if (i + 1 < text.size() && text[i + 1] == '^') result += text[++i];
      if (i + 1 < text.size() && text[i + 1] == ']') result += text[++i];
      continue;
    }
    if (c == ']') in_brackets = false;
    result += c;
  }
  return result;
}

}  // namespace

struct BytePattern::Compiled {
  regex_t expression{};
  bool made = false;
  ~Compiled() {
    if (made) ::regfree(&expression);
  }
};

BytePattern::BytePattern(const std::string& expression) : compiled_(std::make_unique<Compiled>()) {
  if (expression.empty() || expression.find('\0') != std::string::npos)
    throw std::invalid_argument("an expression has at least one character, and no NUL byte");
  const int error = ::regcomp(&compiled_->expression, in_posix_words(expression).c_str(), REG_EXTENDED);
  if (error != 0) {
    std::array<char, 200> words{};
    ::regerror(error, &compiled_->expression, words.data(), words.size());
    throw std::invalid_argument(words.data());
  }
  compiled_->made = true;
  if (::regexec(&compiled_->expression, "", 0, nullptr, 0) == 0)
    throw std::invalid_argument("it matches where there is nothing, and so parts everything from everything");
}

BytePattern::BytePattern(BytePattern&&) noexcept = default;
BytePattern& BytePattern::operator=(BytePattern&&) noexcept = default;
BytePattern::~BytePattern() = default;

std::vector<std::string> BytePattern::split(std::string_view text) const {
  std::vector<std::string> pieces;
  std::size_t begin = 0, from = 0;
  while (from <= text.size()) {
    regmatch_t match{};
    match.rm_so = static_cast<regoff_t>(from);
    match.rm_eo = static_cast<regoff_t>(text.size());
    const char* const data = text.empty() ? "" : text.data();
    if (::regexec(&compiled_->expression, data, 1, &match, REG_STARTEND | (from > 0 ? REG_NOTBOL : 0)) != 0) break;
    if (match.rm_eo == match.rm_so) {  // an anchor: it parts nothing
      ++from;
      continue;
    }
    pieces.emplace_back(text.substr(begin, static_cast<std::size_t>(match.rm_so) - begin));
    begin = from = static_cast<std::size_t>(match.rm_eo);
  }
  pieces.emplace_back(text.substr(begin));
  return pieces;
}

}  // namespace bulkhead
