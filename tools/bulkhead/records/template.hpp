// A command with places for values: parsed once, filled in for every task. Values are never scanned again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

/// What a template is filled in with.
struct Values {
  std::span<const std::string> fields;  ///< {1} is fields[0]; {} is all of them
  std::uint64_t sequence = 1;           ///< {#}
  int slot = 1;                         ///< {%}
};

struct TemplateRules {
  bool shell = false;                  ///< words are joined for sh -c and values quoted
  std::string replace = "{}";          ///< -I: what stands for the whole record
  bool path = false;                   ///< each value is made one component of a path
  std::vector<std::string> columns{};  ///< --header: {name} is the field of that column
  bool append_record = true;           ///< a command without any place gets the record as its last argument
  bool record_is_argv = false;         ///< no words: the fields are the words, without a shell (--input jsonl)
  bool repeat_words = false;           ///< -X: a word around {} is repeated for every field
};

class CommandTemplate {
 public:
  /// No words at all: each record is a shell command line. Throws UsageError where a value could break out of quotes.
  CommandTemplate(const std::vector<std::string>& words, const TemplateRules& rules);

  std::vector<std::string> arguments(const Values& values) const;
  /// The command as one would type it into a shell.
  std::string shown(const Values& values) const;
  /// The first word as a text.
  std::string text(const Values& values) const { return fill(words_.front(), values); }
  /// At most so many bytes of argv come from one record's fields, the pointers to them included; and from the words.
  std::size_t cost_of(const std::vector<std::string>& fields) const;
  std::size_t own_cost() const;
  /// Whether a place stands for one of the fields `first` to `last` (from 1) of `count`, or for all of them, or for the
  /// task's number.
  bool tells_apart(std::size_t first, std::size_t last, std::size_t count) const noexcept;
  /// The highest n of a {n}; 0: there is none.
  std::size_t highest_position() const noexcept;

 private:
  enum class Kind { literal, all, position, from_end, sequence, slot };
  struct Piece {
    Kind kind = Kind::literal;
    std::string text{};  // of a literal
    std::size_t number = 0;
    bool no_extension = false, basename = false, dirname = false;
  };
  using Word = std::vector<Piece>;

  static std::optional<Piece> placeholder(std::string_view inner, const TemplateRules& rules);
  static Word parse(std::string_view text, const TemplateRules& rules);
  void refuse_unsafe_places() const;
  std::string value_of(const Piece& piece, const std::string& field) const;
  std::vector<std::string> expand(const Piece& piece, const Values& values) const;
  std::string fill(const Word& word, const Values& values) const;

  std::vector<Word> words_;
  static bool repeats(const Word& word);

  bool shell_, path_;
  bool record_is_command_, record_is_argv_, repeat_words_;
};

/// The path transforms of {.} {/} {//}: a name that only begins with a dot has no extension; slashes at the end of a
/// path do not count.
std::string without_extension(const std::string& path);
std::string base_name(const std::string& path);
std::string directory_name(const std::string& path);
/// A value as a file's name: it leads nowhere else, and two values never share one. '/', '%' and a leading '.' are
/// escaped as in URLs; what is longer than names can be is cut, with a hash behind it.
std::string path_component(std::string_view value);

}  // namespace bulkhead::tool
