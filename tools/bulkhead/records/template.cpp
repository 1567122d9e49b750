#include "records/template.hpp"

#include "words/quantity.hpp"
#include "words/shell_quote.hpp"
#include "words/usage_error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace bulkhead::tool {

std::string without_extension(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos || dot <= name || path.find_first_not_of('.', name) > dot ? path
                                                                                            : path.substr(0, dot);
}

std::string base_name(const std::string& path) {
  const std::size_t last = path.find_last_not_of('/');
  if (last == std::string::npos) return path.substr(0, 1);
  const std::size_t slash = path.rfind('/', last);
  return path.substr(slash == std::string::npos ? 0 : slash + 1,
                     last - (slash == std::string::npos ? 0 : slash + 1) + 1);
}

std::string directory_name(const std::string& path) {
  const std::size_t last = path.find_last_not_of('/');
  if (last == std::string::npos) return path.empty() ? "." : "/";
  const std::size_t slash = path.rfind('/', last);
  if (slash == std::string::npos) return ".";
  const std::size_t end = path.find_last_not_of('/', slash);
  return end == std::string::npos ? "/" : path.substr(0, end + 1);
}

std::string path_component(std::string_view value) {
  constexpr std::size_t longest = 200;  // names end at 255, and there may be more than this value in one
  std::string name;
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a: the same in every run
  for (const char c : value) {
    const auto byte = static_cast<std::uint8_t>(c);
    const bool escaped = c == '/' || c == '%' || c == '\0' || (c == '.' && name.empty());
    if (name.size() < longest) name += escaped ? fmt::format("%{:02X}", byte) : std::string(1, c);
    hash = (hash ^ byte) * 0x100000001b3;
  }
  if (name.size() >= longest) name += fmt::format("%~{:016x}", hash);
  return name.empty() ? "%" : name;
}

CommandTemplate::CommandTemplate(const std::vector<std::string>& words, const TemplateRules& rules)
    : shell_(rules.shell),
      path_(rules.path),
      record_is_command_(words.empty() && !rules.record_is_argv),
      record_is_argv_(words.empty() && rules.record_is_argv),
      repeat_words_(rules.repeat_words) {
  if (shell_ && !words.empty()) {
    std::string line;
    for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
    words_.push_back(parse(line, rules));
  } else {
    for (const std::string& word : words) words_.push_back(parse(word, rules));
  }
  const auto has_place = [](const Word& w) {
    return std::any_of(w.begin(), w.end(), [](const Piece& p) { return p.kind != Kind::literal; });
  };
  if (rules.append_record && !record_is_command_ && !record_is_argv_ &&
      std::none_of(words_.begin(), words_.end(), has_place)) {
    if (shell_) words_.back().push_back({.text = " "});
    if (!shell_) words_.emplace_back();
    words_.back().push_back({.kind = Kind::all});
  }
  if (shell_) refuse_unsafe_places();
}

void CommandTemplate::refuse_unsafe_places() const {
  for (const Word& word : words_) {
    ShellContext context;
    for (const Piece& piece : word) {
      if (piece.kind == Kind::literal) context.read(piece.text);
      const bool number = piece.kind == Kind::sequence || piece.kind == Kind::slot;
      if (piece.kind == Kind::literal || number) continue;
      if (const std::string_view inside = context.objection(); !inside.empty())
        throw UsageError(
            fmt::format("--shell: a placeholder stands inside {}, where a value could break out. Drop them: values are "
                        "quoted already (write grep {{}} file, not grep \"{{}}\" file)",
                        inside));
      context.read("x");  // the value is a word, or a part of one
    }
  }
}

std::optional<CommandTemplate::Piece> CommandTemplate::placeholder(std::string_view inner, const TemplateRules& rules) {
  if (inner == "#") return Piece{.kind = Kind::sequence};
  if (inner == "%") return Piece{.kind = Kind::slot};
  Piece piece;
  for (std::string_view transform : {"//", "/.", "/", "."}) {
    if (!inner.ends_with(transform)) continue;
    piece.dirname = transform == "//";
    piece.basename = transform.front() == '/' && !piece.dirname;
    piece.no_extension = transform.back() == '.';
    inner.remove_suffix(transform.size());
    break;
  }
  const bool transformed = piece.dirname || piece.basename || piece.no_extension;
  if (inner.empty()) {
    piece.kind = Kind::all;
    return transformed || rules.replace == "{}" ? std::optional(piece) : std::nullopt;
  }
  const auto column = std::find(rules.columns.begin(), rules.columns.end(), inner);
  if (column != rules.columns.end()) {
    piece.kind = Kind::position;
    piece.number = static_cast<std::size_t>(column - rules.columns.begin()) + 1;
    return piece;
  }
  const bool from_end = inner.front() == '-';
  const std::optional<std::uint64_t> number = parse_count(from_end ? inner.substr(1) : inner);
  if (!number || *number == 0 || *number > 1'000'000) return std::nullopt;
  piece.kind = from_end ? Kind::from_end : Kind::position;
  piece.number = *number;
  return piece;
}

CommandTemplate::Word CommandTemplate::parse(std::string_view text, const TemplateRules& rules) {
  Word word;
  std::string literal;
  const auto close_literal = [&] {
    if (!literal.empty()) word.push_back({.text = std::move(literal)});
    literal.clear();
  };
  while (!text.empty()) {
    std::size_t length = 0;
    std::optional<Piece> piece;
    if (text.starts_with(rules.replace)) {
      length = rules.replace.size();
      piece = Piece{.kind = Kind::all};
    } else if (text.front() == '{') {
      if (const std::size_t close = text.find('}'); close != std::string_view::npos) {
        length = close + 1;
        piece = placeholder(text.substr(1, close - 1), rules);
      }
    }
    if (piece) {
      close_literal();
      word.push_back(std::move(*piece));
      text.remove_prefix(length);
    } else {
      literal += text.front();
      text.remove_prefix(1);
    }
  }
  close_literal();
  return word;
}

std::string CommandTemplate::value_of(const Piece& piece, const std::string& field) const {
  std::string value = field;
  if (piece.dirname) value = directory_name(value);
  if (piece.basename) value = base_name(value);
  if (piece.no_extension) value = without_extension(value);
  if (path_) return path_component(value);
  return shell_ ? shell_quote(value) : value;
}

std::vector<std::string> CommandTemplate::expand(const Piece& piece, const Values& values) const {
  const std::size_t count = values.fields.size();
  switch (piece.kind) {
    case Kind::literal:
      return {piece.text};
    case Kind::sequence:
      return {std::to_string(values.sequence)};
    case Kind::slot:
      return {std::to_string(values.slot)};
    case Kind::position:
      return {value_of(piece, piece.number <= count ? values.fields[piece.number - 1] : std::string())};
    case Kind::from_end:
      return {value_of(piece, piece.number <= count ? values.fields[count - piece.number] : std::string())};
    case Kind::all:
      break;
  }
  std::vector<std::string> all;
  for (const std::string& field : values.fields) all.push_back(value_of(piece, field));
  return all;
}

std::string CommandTemplate::fill(const Word& word, const Values& values) const {
  std::string text;
  for (const Piece& piece : word) {
    bool first = true;
    for (const std::string& value : expand(piece, values)) {
      if (!first) text += ' ';
      text += value;
      first = false;
    }
  }
  return text;
}

std::vector<std::string> CommandTemplate::arguments(const Values& values) const {
  if (record_is_command_) {
    std::string line;
    for (const std::string& field : values.fields) line += (line.empty() ? "" : " ") + field;
    return {"/bin/sh", "-c", line};
  }
  if (record_is_argv_) return {values.fields.begin(), values.fields.end()};
  if (shell_) return {"/bin/sh", "-c", fill(words_.front(), values)};
  std::vector<std::string> result;
  for (const Word& word : words_) {
    if (repeat_words_ && repeats(word)) {
      for (const std::string& field : values.fields)
        result.push_back(fill(word, {std::span(&field, 1), values.sequence, values.slot}));
    } else if (word.size() == 1 && word.front().kind == Kind::all) {  // a word of its own: one argument a field
      for (std::string& value : expand(word.front(), values)) result.push_back(std::move(value));
    } else {
      result.push_back(fill(word, values));
    }
  }
  return result;
}

bool CommandTemplate::repeats(const Word& word) {
  return std::any_of(word.begin(), word.end(), [](const Piece& p) { return p.kind == Kind::all; });
}

// Transforms only shorten, but for the "." of a name without a directory.
std::size_t CommandTemplate::cost_of(const std::vector<std::string>& fields) const {
  std::size_t cost = 0;
  for (const Word& word : words_) {
    for (const std::string& field : fields) {
      const std::size_t size = std::max<std::size_t>(1, shell_ ? shell_quote(field).size() : field.size());
      for (const Piece& piece : word) {
        if (piece.kind == Kind::all) cost += size + 1;
        if (piece.kind == Kind::literal && repeat_words_ && !shell_ && repeats(word)) cost += piece.text.size();
      }
      if (!shell_ && repeats(word)) cost += sizeof(char*) + 1;
    }
  }
  return cost;
}

std::size_t CommandTemplate::own_cost() const {
  std::size_t cost = 0;
  for (const Word& word : words_) {
    for (const Piece& piece : word) cost += piece.kind == Kind::literal ? piece.text.size() : 24;
    cost += sizeof(char*) + 1;
  }
  return cost;
}

std::string CommandTemplate::shown(const Values& values) const {
  const std::vector<std::string> words = arguments(values);
  return shell_ || record_is_command_ ? words.back() : shell_join(words);
}

bool CommandTemplate::tells_apart(std::size_t first, std::size_t last, std::size_t count) const noexcept {
  const auto does = [&](const Piece& piece) {
    const std::size_t from_start = piece.kind == Kind::from_end ? count + 1 - piece.number : piece.number;
    const bool one = piece.kind == Kind::position || piece.kind == Kind::from_end;
    return piece.kind == Kind::all || piece.kind == Kind::sequence ||
           (one && first <= from_start && from_start <= last);
  };
  return std::any_of(words_.begin(), words_.end(),
                     [&](const Word& w) { return std::any_of(w.begin(), w.end(), does); });
}

std::size_t CommandTemplate::highest_position() const noexcept {
  std::size_t highest = 0;
  for (const Word& word : words_)
    for (const Piece& piece : word)
      if (piece.kind == Kind::position) highest = std::max(highest, piece.number);
  return highest;
}

}  // namespace bulkhead::tool
